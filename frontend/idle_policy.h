// SPDX-License-Identifier: Apache-2.0
// How long to poll before sleeping: as long as it has been paying of late, and not at all when
// idle.
//
// The rule of KVM's halt polling: a sleep that ends within kLongest would have been worth polling
// through, so poll longer; one that lasts would not, so stop polling.
#pragma once

#include <algorithm>
#include <chrono>

namespace cede::frontend {

class IdlePolicy {
 public:
  using Duration = std::chrono::nanoseconds;

  explicit IdlePolicy(Duration longest = std::chrono::microseconds(50)) noexcept
      : longest_(longest) {}

  // How long to poll after the last thing that moved.
  [[nodiscard]] Duration polling_time() const noexcept { return polling_; }

  // While polling, the processor was offered to others, and they had it for `took`. Where others
  // want it, polling costs a turn in the queue at each offer; who sleeps is woken ahead of it.
  void yielded(Duration took) noexcept {
    if (took <= longest_) return;
    polling_ = Duration::zero();
    barred_ = kBarred;
  }

  // A sleep ended, `slept` after the last thing had moved.
  void slept(Duration slept) noexcept {
    if (barred_ != 0) {
      --barred_;
    } else if (slept > longest_) {
      polling_ = Duration::zero();
    } else if (slept > polling_) {
      polling_ = std::min(longest_, std::max(kStep, 2 * polling_));
    }
  }

 private:
  static constexpr Duration kStep = std::chrono::microseconds(10);
  static constexpr unsigned kBarred = 1000;  // sleeps until polling is tried again

  Duration longest_;
  Duration polling_{};
  unsigned barred_ = 0;
};

}  // namespace cede::frontend
