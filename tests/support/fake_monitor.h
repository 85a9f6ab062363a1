// SPDX-License-Identifier: Apache-2.0
// QEMU's end of a QMP socket, in a test's hands.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <boost/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "protocols/posix/channel.h"
#include "protocols/posix/fd.h"

namespace cede::test {

class FakeMonitor {
 public:
  FakeMonitor() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    qemu_ = Fd(ends[0]);
    client_ = Fd(ends[1]);
  }
  [[nodiscard]] Fd take_client() { return std::move(client_); }
  // Readable when there may be a command to hear().
  [[nodiscard]] int fd() const noexcept { return qemu_.get(); }

  void say(std::string_view text) const {
    EXPECT_EQ(::send(qemu_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void greet() const {
    say(R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, )"
        R"("capabilities": ["oob"]}})"
        "\r\n");
  }

  // The next command; null if there is none. A descriptor that came with it is in descriptor().
  boost::json::value hear() {
    std::size_t end = 0;
    while ((end = heard_.find('\n')) == std::string::npos) {
      std::array<std::byte, 4096> buffer{};
      Result<Packet> packet = receive_packet(qemu_.get(), buffer, 1);
      if (!packet || packet->bytes == 0) return nullptr;
      heard_.append(reinterpret_cast<const char*>(buffer.data()), packet->bytes);
      if (packet->fd_count == 1) descriptor_ = std::move(packet->fds[0]);
    }
    boost::json::value command = boost::json::parse(heard_.substr(0, end));
    heard_.erase(0, end + 1);
    last_id_ = command.at("id").to_number<int>();
    return command;
  }
  // The name of the next command; empty if there is none.
  std::string hear_name() {
    const boost::json::value command = hear();
    return command.is_null() ? "" : std::string(command.at("execute").as_string());
  }
  [[nodiscard]] Fd& descriptor() { return descriptor_; }

  // To the command heard last.
  void succeed(const std::string& returned = "{}") const {
    say(R"({"return": )" + returned + R"(, "id": )" + std::to_string(last_id_) + "}\r\n");
  }
  void fail(const std::string& text, const std::string& error = "GenericError") const {
    say(R"({"error": {"class": ")" + error + R"(", "desc": ")" + text + R"("}, "id": )" +
        std::to_string(last_id_) + "}\r\n");
  }
  void deleted(const std::string& device) const {
    say(R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "DEVICE_DELETED", )"
        R"("data": {"device": ")" +
        device + R"(", "path": "/machine/peripheral/)" + device + R"("}})" + "\r\n");
  }
  // For a real QEMU.
  [[nodiscard]] Fd take_qemu() { return std::move(qemu_); }
  void hang_up() { qemu_.reset(); }

 private:
  Fd qemu_;
  Fd client_;
  Fd descriptor_;
  std::string heard_;
  int last_id_ = 0;
};

}  // namespace cede::test
