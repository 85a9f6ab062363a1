// SPDX-License-Identifier: Apache-2.0
// A rate limit: tokens flow in at a fixed rate, and whoever takes may go into debt once.
//
// The bucket is open while it holds anything, and a take is charged whole even where it is more
// than what is left; the debt keeps the bucket shut until it is paid. So one request larger than
// the bucket passes, and the rate holds all the same. Pure: time comes in as an argument and must
// not go back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "driver_vm/clock.h"

namespace cede::driver {

class TokenBucket {
 public:
  // `rate` in tokens a second; 0: no limit. The bucket holds a tenth of a second's worth.
  explicit TokenBucket(std::uint64_t rate) noexcept
      : rate_(static_cast<double>(rate)), depth_(std::max(1.0, rate_ / 10)), level_(depth_) {}

  [[nodiscard]] bool open(Instant now) noexcept {
    if (rate_ == 0) return true;
    level_ = std::min(depth_, level_ + static_cast<double>(now - filled_) * rate_ / 1e9);
    filled_ = now;
    return level_ > 0;
  }
  void take(std::uint64_t tokens) noexcept {
    if (rate_ != 0) level_ -= static_cast<double>(tokens);
  }
  // The first instant at which open() holds; `now` is that of the last open().
  [[nodiscard]] Instant opens_at(Instant now) const noexcept {
    if (rate_ == 0 || level_ > 0) return now;
    return now + static_cast<Duration>(std::ceil(-level_ / rate_ * 1e9)) + 1;
  }

 private:
  double rate_;
  double depth_;
  double level_;
  Instant filled_ = 0;
};

}  // namespace cede::driver
