// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/cgroup_controller.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

constexpr const char* kVersion1 =
    "30 25 0:26 / /sys/fs/cgroup rw shared:4 - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw,nsdelegate\n"
    "35 30 0:31 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "36 30 0:32 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n";

TEST(Controller, IsItsOwnMountOfVersion1) {
  for (const auto& [name, mount] : {std::pair{"memory", "/sys/fs/cgroup/memory"},
                                    {"cpu", "/sys/fs/cgroup/cpu"},
                                    {"cpuacct", "/sys/fs/cgroup/cpu"}}) {
    const auto found = find_controller(name, kVersion1, false);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->mount, mount);
    EXPECT_FALSE(found->unified);
  }
}

TEST(Controller, IsTheUnifiedMountWhereThatHasIt) {
  const char* text = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
  const auto found = find_controller("memory", text, true);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mount, "/sys/fs/cgroup");
  EXPECT_TRUE(found->unified);
  EXPECT_FALSE(find_controller("memory", text, false));
}

TEST(Controller, IsNotWhatOnlyLooksLikeIt) {
  EXPECT_FALSE(find_controller("memory", "", true));
  EXPECT_FALSE(find_controller("memory", "no separator here\n", true));
  EXPECT_FALSE(find_controller("memory",
                               "36 30 0:32 / /memory rw - ext4 /dev/memory rw,memory\n"
                               "37 30 0:33 / /x rw - cgroup cgroup rw,memory_recursiveprot\n",
                               true));
  EXPECT_FALSE(find_controller("cpu", "37 30 0:33 / /x rw - cgroup cgroup rw,cpuset\n", true));
}

}  // namespace
}  // namespace cede::supervisor
