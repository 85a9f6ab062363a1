// SPDX-License-Identifier: Apache-2.0
// A point in time to wait until, and the waiting.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace cede {

class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now) : at_(Clock::now() + from_now) {}

  // Never negative; rounded up, so that who waits for it does not wake too early and spin.
  [[nodiscard]] std::chrono::milliseconds left() const {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()),
                    std::chrono::milliseconds::zero());
  }
  [[nodiscard]] bool passed() const { return left() == std::chrono::milliseconds::zero(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point at_;
};

// True when `fd` can be read, or its other end is gone; false when the deadline passed first.
[[nodiscard]] inline bool wait_readable(int fd, Deadline deadline) {
  constexpr std::chrono::milliseconds kLongest{60'000};  // what poll's int holds, with room
  for (;;) {
    pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready =
        ::poll(&entry, 1, static_cast<int>(std::min(deadline.left(), kLongest).count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0 && deadline.passed()) return false;
  }
}

}  // namespace cede
