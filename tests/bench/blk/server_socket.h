// SPDX-License-Identifier: Apache-2.0
// A listening Unix socket for a server to inherit. Its path goes away with this object; what is
// connected stays so.
#pragma once

#include <string>

#include "protocols/posix/fd.h"

namespace cede::bench {

class ServerSocket {
 public:
  // Throws std::system_error.
  ServerSocket();
  ServerSocket(const ServerSocket&) = delete;
  ServerSocket& operator=(const ServerSocket&) = delete;
  ~ServerSocket();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // A client may connect before the server accepts.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string folder_;
  std::string path_;
  Fd fd_;
};

}  // namespace cede::bench
