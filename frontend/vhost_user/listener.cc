// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace cede::vhost_user {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw std::runtime_error("socket '" + path + "': " + why);
}

[[noreturn]] void fail_by_errno(const std::string& path) {
  fail(path, std::system_category().message(errno));
}

// An earlier life's socket stays behind in the file system; one that answers is in use.
void remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) fail(path, "exists and is not a socket; choose another path");
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool answered =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (answered || errno == EAGAIN) fail(path, "another program is listening on it");
  ::unlink(path.c_str());
}

}  // namespace

Fd bind_socket(const std::string& path, const SocketOwner& owner) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    fail(path,
         "a socket's path has 1 to " + std::to_string(sizeof address.sun_path - 1) + " characters");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  remove_stale(path, address);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) fail_by_errno(path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0) {
    fail_by_errno(path);
  }
  if (owner.uid && ::lchown(path.c_str(), *owner.uid, owner.gid.value_or(*owner.uid)) != 0) {
    fail_by_errno(path);
  }
  return socket;
}

}  // namespace cede::vhost_user
