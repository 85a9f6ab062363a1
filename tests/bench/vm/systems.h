// SPDX-License-Identifier: Apache-2.0
// A disk and a switch, each by driver domains of every kind. All that differs is the kind: `cede
// up` starts them, and clients are served by the same programs.
#pragma once

#include <span>
#include <vector>

#include "tests/bench/blk/system.h"
#include "tests/bench/driver_kind.h"
#include "tests/bench/net/join.h"

namespace cede::bench {

// A vhost-user-blk client, and its frontend.
[[nodiscard]] std::vector<SystemKind> disks(std::span<const DriverKind> kinds);
// Two TAP endpoints.
[[nodiscard]] std::vector<JoinKind> switches(std::span<const DriverKind> kinds);

}  // namespace cede::bench
