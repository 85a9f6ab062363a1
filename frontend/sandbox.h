// SPDX-License-Identifier: Apache-2.0
// What a frontend keeps after set-up: its descriptors, and the few system calls of its loop.
#pragma once

#include <sys/types.h>

#include <optional>

namespace cede::frontend {

struct SandboxOptions {
  std::optional<uid_t> uid;  // both or none
  std::optional<gid_t> gid;
  bool audit = false;  // the revocation audit makes the very calls that it expects to be refused
  bool taps = false;   // a TAP's frames, carrier and offloads
};

// To be called once, when every socket is bound. Throws std::system_error where a promise cannot be
// kept.
void enter_sandbox(const SandboxOptions& options);

}  // namespace cede::frontend
