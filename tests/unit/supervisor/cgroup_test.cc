// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/cgroup.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

TEST(RemoveCgroupTree, ATreeThatIsNotThereIsGone) {
  EXPECT_TRUE(remove_cgroup_tree("/sys/fs/cgroup/none-such-cede"));
}

}  // namespace
}  // namespace cede::supervisor
