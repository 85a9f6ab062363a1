// SPDX-License-Identifier: Apache-2.0
// Messages of an untrusted vhost-user front-end, read piece by piece without ever blocking.
//
// A front-end that stops in the middle of a message holds up nobody: what has come so far waits
// here. A message of a wrong size, with descriptors that its request does not take, or of another
// protocol version ends the connection; every descriptor that came with it is closed.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "frontend/vhost_user/protocol.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::vhost_user {

// A message whose size and number of descriptors fit its request. Its contents are still anything.
struct Message {
  Header header;
  std::array<std::byte, kMaxPayload> payload;
  std::array<Fd, kMaxMessageFds> fds;
  std::size_t fd_count = 0;

  // Reads a T at the start of the payload; what was not sent is zero.
  template <class T>
  [[nodiscard]] T as() const noexcept {
    static_assert(sizeof(T) <= kMaxPayload);
    T value{};
    std::memcpy(&value, payload.data(), header.size < sizeof value ? header.size : sizeof value);
    return value;
  }
  [[nodiscard]] bool needs_reply() const noexcept {
    return (header.flags & Header::kNeedReply) != 0;
  }
};

// Is `size` a possible payload, and `fds` a possible number of descriptors, of this request?
// Requests that we do not know are Ok up to kMaxPayload without descriptors.
[[nodiscard]] Status check_shape(const Header& header, std::size_t fds) noexcept;

class MessageReader {
 public:
  // Ok: `message` is whole, and the next call begins another. Busy: the rest has not come yet.
  // Gone: the peer closed the connection. Broken: see above.
  [[nodiscard]] Status read(int socket, Message& message) noexcept;

 private:
  [[nodiscard]] Status receive(int socket, std::span<std::byte> into, Message& message) noexcept;

  std::size_t received_ = 0;  // of the header and the payload together
};

}  // namespace cede::vhost_user
