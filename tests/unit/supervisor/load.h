// SPDX-License-Identifier: Apache-2.0
// What is expected of a disk's load after everything that was done to its driver.
#pragma once

#include "tests/support/disk_load.h"
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {

using Load = test::DiskLoad;

// It still gets on; and nothing that it asked for has failed, or was wrong.
inline void expect_unharmed(Load& load) {
  EXPECT_TRUE(load.moves());
  load.stop();
  EXPECT_EQ(load.failed(), 0U);
  EXPECT_EQ(load.wrong(), 0U);
}

}  // namespace cede::supervisor
