// SPDX-License-Identifier: Apache-2.0
// QEMU's monitor: commands to QEMU, replies and events from it, over a Unix stream socket.
//
// Source: QEMU's docs/interop/qmp-spec. QEMU greets; the client answers with qmp_capabilities by
// itself; then each command has one reply with the command's id, and events come in between. One
// JSON object a line.
//
// QEMU is not trusted: its guest may have taken it over. What it says is bounded and judged, and
// nobody waits for it here: no call blocks. One thread at a time.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

struct QmpMessage {
  enum class Kind { Ready, Reply, Event };

  Kind kind{};                // Ready comes once: commands are taken from now on
  std::uint32_t id = 0;       // of the command that a Reply answers
  bool ok = false;            // Reply: no error
  std::string text{};         // Event: its name; Reply: what was wrong, in QEMU's words
  std::string error{};        // Reply: the error's class, such as "DeviceNotFound"
  boost::json::value data{};  // of the Event; what the Reply returns
};

class QmpClient {
 public:
  static constexpr std::size_t kMaxCommand = 16UL << 10;
  static constexpr std::size_t kMaxMessage = 4UL << 20;  // query-pci of hundreds of devices

  // `socket` is connected to a monitor in control mode.
  explicit QmpClient(Fd socket) noexcept : socket_(std::move(socket)) {}

  // Readable when receive() has something to do.
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // Sends a command; the result is its id. A descriptor, if given, is borrowed and goes with it.
  // WrongState: not Ready yet. Invalid: longer than kMaxCommand. Busy: QEMU does not read.
  // Gone: QEMU ended.
  Result<std::uint32_t> send(std::string_view command, const boost::json::object& arguments = {},
                             int descriptor = -1);

  // The next message. Busy: there is none yet, or much came and there may be: ask again when fd()
  // is readable. Gone: QEMU ended. Broken: what it said makes no sense; no more use is in it.
  Result<QmpMessage> receive();

 private:
  [[nodiscard]] Status receive_some();
  [[nodiscard]] Result<QmpMessage> judge(std::string_view line);
  [[nodiscard]] Result<std::uint32_t> send_now(std::string_view command,
                                               const boost::json::object& arguments,
                                               int descriptor);

  Fd socket_;
  enum class State { Connected, Greeted, Ready } state_ = State::Connected;
  std::uint32_t last_id_ = 0;
  std::string received_;
  std::size_t searched_to_ = 0;  // no line ends before this
};

}  // namespace cede::qemu
