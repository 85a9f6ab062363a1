// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/control_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace cede::supervisor {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxConnections = 32;
constexpr std::size_t kMaxRequestBytes = 4096;
constexpr std::size_t kMaxWaitingBytes = 4 << 20;
constexpr int kBacklog = 8;

}  // namespace

struct ControlServer::Connection {
  explicit Connection(Fd descriptor) : fd(std::move(descriptor)) {}
  Fd fd;
  std::string in;
  std::string out;
  bool follow = false;
  bool over = false;  // to be dropped at the next sweep
  EventLoop::Registration readable;
  EventLoop::Registration writable;
};

Fd listen_for_control(const std::filesystem::path& path) {
  const auto fail = [&](const char* what) {
    throw std::runtime_error(fmt::format("cannot {} '{}': {}", what, path.string(),
                                         std::generic_category().message(errno)));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path) {
    throw std::runtime_error(fmt::format(
        "the path '{}' is too long for a socket; use a shorter CEDE_RUNTIME_DIR", path.string()));
  }
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) fail("make the socket");
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("make");
  }
  // Nobody can connect before listen().
  if (::chmod(path.c_str(), 0600) != 0) fail("protect");
  if (::listen(listener.get(), kBacklog) != 0) fail("listen on");
  return listener;
}

ControlServer::ControlServer(EventLoop& loop, Fd listener, Handler handler)
    : loop_(loop), handler_(std::move(handler)), listener_(std::move(listener)) {
  watch_ = loop_.when_readable(listener_.get(), [this] { accept(); });
}

ControlServer::~ControlServer() = default;

void ControlServer::accept() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || connections_.size() >= kMaxConnections) return;
  Connection& connection = connections_.emplace_back(std::move(fd));
  connection.readable = loop_.when_readable(connection.fd.get(), [this, &connection] {
    receive(connection);
    sweep();
  });
}

void ControlServer::receive(Connection& connection) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    connection.over = true;
    return;
  }
  connection.in.append(buffer.data(), static_cast<std::size_t>(got));
  std::size_t end = 0;
  while (!connection.over && (end = connection.in.find('\n')) != std::string::npos) {
    const std::string line = connection.in.substr(0, end);
    connection.in.erase(0, end + 1);
    answer(connection, line);
  }
  if (connection.in.size() > kMaxRequestBytes) connection.over = true;
}

void ControlServer::answer(Connection& connection, const std::string& line) {
  json::error_code error;
  const json::value request = json::parse(line, error);
  if (error || !request.is_object()) {
    send(connection, {{"ok", false}, {"error", "the request is not a JSON object"}});
    return;
  }
  send(connection, handler_(request.get_object(), connection.follow));
}

void ControlServer::broadcast(const json::object& message) {
  for (Connection& connection : connections_) {
    if (connection.follow) send(connection, message);
  }
}

void ControlServer::send(Connection& connection, const json::object& message) {
  if (connection.over) return;
  connection.out += json::serialize(message);
  connection.out += '\n';
  flush(connection);
  if (connection.out.size() > kMaxWaitingBytes) connection.over = true;
}

void ControlServer::flush(Connection& connection) {
  const ssize_t sent = ::send(connection.fd.get(), connection.out.data(), connection.out.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
  if (sent < 0 && errno != EAGAIN && errno != EINTR) connection.over = true;
  if (connection.out.empty() || connection.over) {
    connection.writable.reset();
  } else if (!connection.writable) {
    connection.writable = loop_.when_writable(connection.fd.get(), [this, &connection] {
      flush(connection);
      sweep();
    });
  }
}

void ControlServer::sweep() {
  connections_.remove_if([](const Connection& connection) { return connection.over; });
}

}  // namespace cede::supervisor
