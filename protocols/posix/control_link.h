// SPDX-License-Identifier: Apache-2.0
// A domain's end of its capability socket: typed messages, never blocking. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocols/control.h"
#include "protocols/posix/channel.h"
#include "protocols/posix/fd.h"

namespace cede {

class ControlLink {
 public:
  // What came, with the descriptors of an Offer or of a CreateDomain reply.
  struct Incoming {
    Message message;
    std::array<Fd, kMaxPacketFds> fds;
    std::size_t fd_count = 0;
  };

  // Whoever goes on with a socket that another has used passes a tag that was not used before.
  explicit ControlLink(Fd socket, std::uint32_t last_tag = 0) noexcept
      : socket_(std::move(socket)), last_tag_(last_tag) {}

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // Sends a request and returns the tag that its Reply will carry.
  [[nodiscard]] Result<std::uint32_t> send(Message message) noexcept {
    message.tag = ++last_tag_;
    const Status status = send_packet(socket_.get(), std::as_bytes(std::span(&message, 1)));
    if (status != Status::Ok) return status;
    return message.tag;
  }

  // Busy: nothing there. Gone: the broker closed the socket; the domain has no future.
  [[nodiscard]] Result<Incoming> receive() noexcept {
    Incoming incoming;
    Result<Packet> packet = receive_packet(
        socket_.get(), std::as_writable_bytes(std::span(&incoming.message, 1)), kMaxPacketFds);
    if (!packet) return packet.status();
    if (packet->bytes == 0) return Status::Gone;
    if (packet->bytes != sizeof(Message)) return Status::Broken;
    incoming.fds = std::move(packet->fds);
    incoming.fd_count = packet->fd_count;
    return incoming;
  }

 private:
  Fd socket_;
  std::uint32_t last_tag_;
};

}  // namespace cede
