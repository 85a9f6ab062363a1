// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next life of something that died.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace cede {

class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kLongest{10'000};
  // A life at least this long was a good one: its end is no reason to hesitate.
  static constexpr std::chrono::milliseconds kGoodLife{10'000};

  // The wait after a life that lasted `lived`: kFirst, then twice as long each time, up to
  // kLongest.
  [[nodiscard]] std::chrono::milliseconds next(std::chrono::milliseconds lived) noexcept {
    if (lived >= kGoodLife) delay_ = kFirst;
    return std::exchange(delay_, std::min(delay_ * 2, kLongest));
  }

 private:
  std::chrono::milliseconds delay_ = kFirst;
};

}  // namespace cede
