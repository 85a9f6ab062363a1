// SPDX-License-Identifier: Apache-2.0
// A worker: the one thread that turns the event loop, the session host and a device class, polls a
// while when there is nothing to do, and then sleeps.
#pragma once

#include "driver_vm/engine/adaptive_poll.h"
#include "driver_vm/engine/event_loop.h"
#include "driver_vm/session_host/session_host.h"

namespace cede::driver {

class Worker final : private Event {
 public:
  // After a request to stop, what is in flight gets this long.
  static constexpr Duration kDrainDeadline = 10 * kSecond;

  // `stop_fd` (a signalfd) becomes readable to ask for an orderly end. All outlive the worker.
  Worker(EventLoop& loop, SessionHost& host, DeviceService& service, int stop_fd) noexcept
      : loop_(loop), host_(host), service_(service), stop_fd_(stop_fd) {}

  // Until the broker is gone or a stop was asked for, and every session is let go. False: something
  // was still in flight at the deadline.
  [[nodiscard]] bool run();

 private:
  void complete(std::int32_t result, bool more) override;

  EventLoop& loop_;
  SessionHost& host_;
  DeviceService& service_;
  int stop_fd_;
  AdaptivePoll polling_;
};

}  // namespace cede::driver
