// SPDX-License-Identifier: Apache-2.0
// Messages to actions, actions through the core, effects to system calls. Decides nothing itself.
#pragma once

#include <cstdint>
#include <string>

#include "protocols/posix/fd.h"

namespace cede::broker {

struct Options {
  std::uint32_t budget_pages = 0;
  std::string cgroup;  // empty: none
  std::uint32_t connect_deadline_ms = 5000;
  std::uint32_t drain_deadline_ms = 10000;
};

// Serves the domains until the root domain is gone (its socket closed, or SIGTERM or SIGINT came),
// then brings every page home. `root` is the broker's end of the root's capability socket.
// True: the whole budget is in the root's account again.
// Throws std::runtime_error when it cannot start: one line that says what, where and what to do.
[[nodiscard]] bool serve(const Options& options, Fd root);

}  // namespace cede::broker
