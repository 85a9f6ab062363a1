// SPDX-License-Identifier: Apache-2.0
// What a driver keeps after set-up: its descriptors, and the few system calls of its loop.
#pragma once

#include <sys/types.h>

#include <optional>

namespace cede::driver {

// Both or none.
struct Identity {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

// To be called once, when everything is open, before EventLoop::start(). Throws std::system_error
// where a promise cannot be kept.
void enter_sandbox(const Identity& identity);

}  // namespace cede::driver
