// SPDX-License-Identifier: Apache-2.0
// vhost-user messages as a front-end says them. What goes wrong throws std::runtime_error.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "frontend/vhost_user/protocol.h"
#include "protocols/posix/fd.h"

namespace cede::test {

// Messages on a connected socket.
class VhostUserConnection {
 public:
  struct Reply {
    std::vector<std::byte> payload;
    Fd fd;

    template <class T>
    [[nodiscard]] T as() const {
      T value{};
      std::memcpy(&value, payload.data(), std::min(payload.size(), sizeof value));
      return value;
    }
  };

  explicit VhostUserConnection(Fd socket) : socket_(std::move(socket)) {}
  // Tries again while nobody listens, for `patience`.
  [[nodiscard]] static VhostUserConnection connect(const std::string& path,
                                                   std::chrono::milliseconds patience);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  void send(vhost_user::Request request, std::span<const std::byte> payload = {},
            std::span<const int> fds = {}, std::uint32_t flags = 0);
  template <class T>
  void send_value(vhost_user::Request request, const T& value, std::span<const int> fds = {}) {
    send(request, std::as_bytes(std::span(&value, 1)), fds);
  }
  // The answer, within `patience`.
  [[nodiscard]] Reply receive(std::chrono::milliseconds patience = std::chrono::seconds(10));
  template <class T>
  [[nodiscard]] T get(vhost_user::Request request) {
    send(request);
    return receive().as<T>();
  }
  // Asks for an acknowledgement; returns it.
  template <class T>
  [[nodiscard]] std::uint64_t acknowledged(vhost_user::Request request, const T& value,
                                           std::span<const int> fds = {}) {
    send(request, std::as_bytes(std::span(&value, 1)), fds, vhost_user::Header::kNeedReply);
    return receive().template as<std::uint64_t>();
  }

 private:
  Fd socket_;
};

}  // namespace cede::test
