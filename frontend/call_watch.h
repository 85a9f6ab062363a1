// SPDX-License-Identifier: Apache-2.0
// Waits for the doorbell of a session, unless its driver rings it without end: then the watch
// pauses, for as long as the session's BellGuard says. Whoever is awake looks at the rings all the
// same.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "frontend/event_loop.h"
#include "protocols/bell_guard.h"
#include "protocols/status.h"

namespace cede::frontend {

class CallWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `loop` outlives the watch.
  explicit CallWatch(EventLoop& loop) noexcept : loop_(loop) {}

  // Until stop(), which has to come before descriptor and guard go. `called` takes the wake-up
  // away.
  [[nodiscard]] Status start(int fd, BellGuard& guard, EventLoop::Handler called);
  void stop() noexcept;

  // Now and then, and before each sleep. `name` is the device's, for the log.
  void tick(TimePoint now, const std::string& name);
  // When tick() is due though nothing else happens.
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept { return deaf_until_; }

 private:
  [[nodiscard]] Status listen();

  EventLoop& loop_;
  int fd_ = -1;
  BellGuard* guard_ = nullptr;  // while started
  EventLoop::Handler called_;
  EventLoop::Watch watch_;
  std::optional<TimePoint> deaf_until_;
};

}  // namespace cede::frontend
