// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/cgroup.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

constexpr const char* kVersion1 =
    "30 25 0:26 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw,nsdelegate\n"
    "35 30 0:31 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "36 30 0:32 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n";

TEST(MemoryController, IsTheMemoryMountOfVersion1) {
  const auto found = find_memory_controller(kVersion1, false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mount, "/sys/fs/cgroup/memory");
  EXPECT_FALSE(found->unified);
}

TEST(MemoryController, IsTheUnifiedMountWhereThatControlsMemory) {
  const char* text = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
  const auto found = find_memory_controller(text, true);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mount, "/sys/fs/cgroup");
  EXPECT_TRUE(found->unified);
  EXPECT_FALSE(find_memory_controller(text, false));
}

TEST(MemoryController, IsNotWhatOnlyLooksLikeIt) {
  EXPECT_FALSE(find_memory_controller("", true));
  EXPECT_FALSE(find_memory_controller("no separator here\n", true));
  EXPECT_FALSE(
      find_memory_controller("36 30 0:32 / /memory rw - ext4 /dev/memory rw,memory\n"
                             "37 30 0:33 / /x rw - cgroup cgroup rw,memory_recursiveprot\n",
                             true));
}

TEST(RemoveCgroupTree, ATreeThatIsNotThereIsGone) {
  EXPECT_TRUE(remove_cgroup_tree("/sys/fs/cgroup/none-such-cede"));
}

}  // namespace
}  // namespace cede::supervisor
