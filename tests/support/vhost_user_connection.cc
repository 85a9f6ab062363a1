// SPDX-License-Identifier: Apache-2.0
#include "tests/support/vhost_user_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdexcept>
#include <thread>

#include "protocols/posix/channel.h"

namespace cede::test {

using namespace vhost_user;  // the protocol's vocabulary

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("vhost-user: " + what);
}

bool readable(int fd, std::chrono::milliseconds patience) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

VhostUserConnection VhostUserConnection::connect(const std::string& path,
                                                 std::chrono::milliseconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) fail("the socket's path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return VhostUserConnection(std::move(socket));
    }
    if (std::chrono::steady_clock::now() > deadline) fail("nobody listens on " + path);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void VhostUserConnection::send(Request request, std::span<const std::byte> payload,
                               std::span<const int> fds, std::uint32_t flags) {
  const Header header{request, Header::kVersion | flags,
                      static_cast<std::uint32_t>(payload.size())};
  std::vector<std::byte> packet(sizeof header + payload.size());
  std::memcpy(packet.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(&packet[sizeof header], payload.data(), payload.size());
  if (send_packet(socket_.get(), packet, fds) != Status::Ok) fail("the back-end takes no message");
}

VhostUserConnection::Reply VhostUserConnection::receive(std::chrono::milliseconds patience) {
  Header header;
  Reply reply;
  const auto fill = [&](std::span<std::byte> into) {
    while (!into.empty()) {
      if (!readable(socket_.get(), patience)) fail("no answer in time");
      Result<Packet> packet = receive_packet(socket_.get(), into, 1);
      if (!packet || packet->bytes == 0) fail("the back-end closed the connection");
      if (packet->fd_count == 1) reply.fd = std::move(packet->fds[0]);
      into = into.subspan(packet->bytes);
    }
  };
  fill(std::as_writable_bytes(std::span(&header, 1)));
  if ((header.flags & Header::kReply) == 0 || header.size > kMaxPayload) fail("not an answer");
  reply.payload.resize(header.size);
  fill(reply.payload);
  return reply;
}

}  // namespace cede::test
