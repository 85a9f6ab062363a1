// SPDX-License-Identifier: Apache-2.0
// Whole packets with descriptors over a Unix SOCK_SEQPACKET (or datagram) socket, never blocking.
//
// For the domains' end of a capability socket; the broker, which takes no descriptor from anybody,
// receives by itself (vmm/broker/domain_link.cc).
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede {

inline constexpr std::size_t kMaxPacketFds = 8;

struct Packet {
  std::size_t bytes = 0;  // 0: the peer closed its end
  std::size_t fd_count = 0;
  bool excess_fds = false;  // more descriptors than asked for; all of the excess is closed
  std::array<Fd, kMaxPacketFds> fds;
};

namespace detail {

// Of the call that has just failed.
[[nodiscard]] inline Status why_unsent() noexcept {
  if (errno == EAGAIN || errno == ENOBUFS) return Status::Busy;
  const bool no_peer = errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED;
  return no_peer ? Status::Gone : Status::IoError;
}

// Not by sendmsg, which could name a destination and carry descriptors: a driver's sandbox is
// without it.
[[nodiscard]] inline Status send_bytes(int socket, std::span<const std::byte> bytes) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? why_unsent() : Status::Ok;
}

}  // namespace detail

// Sends `bytes` as one packet. Busy: the socket's queue is full, nothing was sent. Gone: no peer.
[[nodiscard]] inline Status send_packet(int socket, std::span<const std::byte> bytes,
                                        std::span<const int> fds = {}) noexcept {
  if (fds.size() > kMaxPacketFds) return Status::Invalid;
  if (fds.empty()) return detail::send_bytes(socket, bytes);
  iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMaxPacketFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? detail::why_unsent() : Status::Ok;
}

// Receives one packet into `buffer`. Busy: nothing there now. Invalid: the packet was longer than
// the buffer (it is consumed). Descriptors beyond `max_fds` are closed before this returns.
[[nodiscard]] inline Result<Packet> receive_packet(int socket, std::span<std::byte> buffer,
                                                   std::size_t max_fds) noexcept {
  iovec data{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMaxPacketFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t received = 0;
  do {
    received = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno == EAGAIN) return Status::Busy;
    return errno == ECONNRESET ? Status::Gone : Status::IoError;
  }
  Packet packet;
  packet.bytes = static_cast<std::size_t>(received);
  packet.excess_fds = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(header) + i * sizeof(int), sizeof raw);
      Fd fd(raw);
      if (packet.fd_count < max_fds && packet.fd_count < kMaxPacketFds) {
        packet.fds[packet.fd_count++] = std::move(fd);
      } else {
        packet.excess_fds = true;
      }
    }
  }
  if ((message.msg_flags & MSG_TRUNC) != 0) return Status::Invalid;
  return packet;
}

}  // namespace cede
