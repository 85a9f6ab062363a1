// SPDX-License-Identifier: Apache-2.0
// What a driver keeps after set-up: its descriptors, and the few system calls of its loop.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "protocols/posix/lockdown.h"

namespace cede::driver {

// Both or none.
struct Identity {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

// What a device class calls beside what every driver does: whole calls, and calls with one value of
// one argument.
struct DeviceCalls {
  std::vector<int> calls;
  std::vector<lockdown::CallWithArgument> with_argument;
};

// To be called once, when everything is open, before EventLoop::start(). Throws std::system_error
// where a promise cannot be kept.
void enter_sandbox(const Identity& identity, const DeviceCalls& device);

}  // namespace cede::driver
