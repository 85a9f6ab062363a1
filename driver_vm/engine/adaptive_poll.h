// SPDX-License-Identifier: Apache-2.0
// How long to look for work before going to sleep: none at all when the gaps between work are long,
// as long as the gaps when they are short.
//
// After each sleep the whole gap (looking and sleeping) is known. A gap that a longer look would
// have bridged lengthens the next look, a longer one halves it. Pure; time comes in as arguments.
#pragma once

#include <algorithm>

#include "driver_vm/clock.h"

namespace cede::driver {

class AdaptivePoll {
 public:
  static constexpr Duration kLongest = 50 * kMicrosecond;
  static constexpr Duration kFirst = 5 * kMicrosecond;

  [[nodiscard]] Duration budget() const noexcept { return budget_; }

  // Work came after a gap of `idle` that ended in a sleep.
  void slept(Duration idle) noexcept {
    if (idle <= kLongest) {
      budget_ = std::clamp(2 * budget_, kFirst, kLongest);
    } else {
      budget_ = budget_ / 2 < kFirst ? 0 : budget_ / 2;
    }
  }

 private:
  Duration budget_ = 0;
};

}  // namespace cede::driver
