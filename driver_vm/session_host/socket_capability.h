// SPDX-License-Identifier: Apache-2.0
// Sessions over a capability socket: regions are memfds, bells are datagram pairs.
#pragma once

#include <deque>

#include "driver_vm/session_host/capability.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/fd.h"

namespace cede::driver {

// Can clients take the memory of their regions back? Revocable is for measurements only, and needs
// RevocableRegion::survive_faults().
enum class Regions { Donated, Revocable };

class SocketCapability final : public Capability {
 public:
  SocketCapability(Fd socket, Regions regions) noexcept
      : link_(std::move(socket)), regions_(regions) {}

  [[nodiscard]] int fd() const noexcept override { return link_.fd(); }
  [[nodiscard]] Result<Incoming> receive() override;
  [[nodiscard]] Instant deadline() const noexcept override {
    return outbox_.empty() ? kNever : send_again_;
  }
  void send(const Message& message) override;
  [[nodiscard]] bool all_sent() const noexcept override { return outbox_.empty(); }

 private:
  void flush();

  ControlLink link_;
  Regions regions_;
  std::deque<Message> outbox_;  // what the socket had no room for
  Instant send_again_ = kNever;
};

}  // namespace cede::driver
