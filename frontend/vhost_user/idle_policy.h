// SPDX-License-Identifier: Apache-2.0
// How long to poll before sleeping: as long as it has been paying of late, and not at all when
// idle.
//
// The rule of KVM's halt polling: a sleep that ends within kLongest would have been worth polling
// through, so poll longer; one that lasts would not, so stop polling.
#pragma once

#include <algorithm>
#include <chrono>

namespace cede::vhost_user {

class IdlePolicy {
 public:
  using Duration = std::chrono::nanoseconds;

  explicit IdlePolicy(Duration longest = std::chrono::microseconds(50)) noexcept
      : longest_(longest) {}

  // How long to poll after the last thing that moved.
  [[nodiscard]] Duration polling_time() const noexcept { return polling_; }

  // A sleep ended, `slept` after the last thing had moved.
  void slept(Duration slept) noexcept {
    if (slept > longest_) {
      polling_ = Duration::zero();
    } else if (slept > polling_) {
      polling_ = std::min(longest_, std::max(kStep, 2 * polling_));
    }
  }

 private:
  static constexpr Duration kStep = std::chrono::microseconds(10);

  Duration longest_;
  Duration polling_{};
};

}  // namespace cede::vhost_user
