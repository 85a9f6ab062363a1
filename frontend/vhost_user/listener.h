// SPDX-License-Identifier: Apache-2.0
// The Unix socket that a front-end connects to, bound but not listened on: a front-end that tries
// too early is refused, and tries again.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "protocols/posix/fd.h"

namespace cede::vhost_user {

struct SocketOwner {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

// Replaces a socket that nobody listens on; only `owner` may connect. Throws std::runtime_error
// with one line that names the path.
[[nodiscard]] Fd bind_socket(const std::string& path, const SocketOwner& owner);

}  // namespace cede::vhost_user
