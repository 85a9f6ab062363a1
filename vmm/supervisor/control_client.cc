// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "vmm/supervisor/runtime_dir.h"

namespace cede::supervisor {

namespace json = boost::json;

ControlClient::ControlClient(const std::string& system) : system_(system) {
  const std::string path = control_socket(system).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd_ && path.size() < sizeof address.sun_path &&
      ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return;
  }
  if (errno == EACCES) {
    throw std::runtime_error(
        fmt::format("system '{}' belongs to another user; run as that user, or as root", system));
  }
  if (is_running(system)) {
    throw std::runtime_error(fmt::format(
        "system '{}' is starting or stopping, and does not answer yet; try again", system));
  }
  throw std::runtime_error(
      fmt::format("system '{}' does not run; start it with: cede up FILE", system));
}

pid_t ControlClient::server() const noexcept {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  (void)::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  return credentials.pid;
}

json::object ControlClient::ask(const json::object& request) {
  const std::string line = json::serialize(request) + '\n';
  if (::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    throw std::runtime_error(fmt::format("system '{}' has hung up", system_));
  }
  json::object response = next();
  const json::value* ok = response.if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) return response;
  const json::value* error = response.if_contains("error");
  throw std::runtime_error(error != nullptr && error->is_string()
                               ? std::string(error->get_string())
                               : "the supervisor gave no answer that makes sense");
}

json::object ControlClient::next() {
  std::array<char, 65536> buffer;
  std::size_t end = 0;
  while ((end = in_.find('\n')) == std::string::npos) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::runtime_error(fmt::format("system '{}' has hung up", system_));
    in_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  const std::string line = in_.substr(0, end);
  in_.erase(0, end + 1);
  json::error_code error;
  json::value value = json::parse(line, error);
  if (error || !value.is_object()) {
    throw std::runtime_error("the supervisor gave no answer that makes sense");
  }
  return std::move(value.get_object());
}

}  // namespace cede::supervisor
