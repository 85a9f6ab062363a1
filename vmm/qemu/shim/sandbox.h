// SPDX-License-Identifier: Apache-2.0
// What a shim keeps after set-up: its descriptors, and the few system calls of its loop.
#pragma once

#include <sys/types.h>

#include <optional>

namespace cede::qemu {

// To be called once, when everything is open. `uid` and `gid`: both or none. Throws
// std::system_error where a promise cannot be kept.
void enter_sandbox(std::optional<uid_t> uid, std::optional<gid_t> gid);

}  // namespace cede::qemu
