// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/server_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace cede::bench {
namespace {

void check(bool ok) {
  if (!ok) throw std::system_error(errno, std::generic_category(), "vhost-user socket in /tmp");
}

std::string make_folder() {
  std::string folder = "/tmp/cede-bench-XXXXXX";
  check(::mkdtemp(folder.data()) != nullptr);
  return folder;
}

}  // namespace

ServerSocket::ServerSocket()
    : folder_(make_folder()),
      path_(folder_ + "/socket"),
      fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  check(fd_ && ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(fd_.get(), 1) == 0);
}

ServerSocket::~ServerSocket() {
  ::unlink(path_.c_str());
  ::rmdir(folder_.c_str());
}

}  // namespace cede::bench
