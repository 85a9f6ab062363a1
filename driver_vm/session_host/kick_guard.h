// SPDX-License-Identifier: Apache-2.0
// Tells a busy client from a storm of kicks that announce nothing, and says for how long to be
// deaf.
//
// A frontend that keeps to the ring's protocol kicks at most once for each time that its backend
// armed a ring and then found work on it. Whatever comes beside that is spurious. Too many of those
// within a window, and the session's doorbell is left unwatched for a time that doubles from storm
// to storm up to a second; its rings are looked at all the same whenever the worker is awake, and
// at the latest when that time ends. The flooder slows down nobody but itself.
//
// Pure; time comes in as arguments.
#pragma once

#include <algorithm>
#include <cstdint>

#include "driver_vm/clock.h"

namespace cede::driver {

class KickGuard {
 public:
  static constexpr std::uint32_t kTolerated = 64;  // spurious kicks in one window
  static constexpr Duration kWindow = 100 * kMillisecond;
  static constexpr Duration kShortest = kMillisecond;
  static constexpr Duration kLongest = kSecond;
  static constexpr Duration kForgiven = 10 * kSecond;  // without a storm: back to kShortest
  static constexpr std::uint32_t kMaxEarned = 64;

  // Work was found on an armed ring: its frontend has kicked, or is about to.
  void earned() noexcept { earned_ = std::min(earned_ + 1, kMaxEarned); }
  void kicked() noexcept { ++unjudged_; }

  // To be asked after the rings were looked at. Nothing: all is well. Otherwise: do not watch the
  // doorbell for so long.
  [[nodiscard]] Duration judge(Instant now) noexcept {
    if (unjudged_ == 0) return 0;
    const std::uint32_t honest = std::min(earned_, unjudged_);
    earned_ -= honest;
    if (now - window_start_ >= kWindow) {
      window_start_ = now;
      spurious_ = 0;
    }
    spurious_ += unjudged_ - honest;
    unjudged_ = 0;
    if (spurious_ <= kTolerated) return 0;
    spurious_ = 0;
    deaf_ = now - last_storm_ >= kForgiven ? kShortest : std::min(2 * deaf_, kLongest);
    last_storm_ = now;
    return deaf_;
  }

 private:
  std::uint32_t earned_ = 0;
  std::uint32_t unjudged_ = 0;
  std::uint32_t spurious_ = 0;  // in the current window
  Instant window_start_ = 0;
  Instant last_storm_ = 0;
  Duration deaf_ = kShortest;
};

}  // namespace cede::driver
