// SPDX-License-Identifier: Apache-2.0
// Tells a busy peer from a storm of bells that announce nothing, and says for how long to be deaf.
//
// A peer that keeps to the ring's protocol rings at most once for each time that a ring was armed
// and work was then found on it. Whatever comes beside that is spurious. Too many of those within a
// window, and the session's doorbell is left unwatched for a time that doubles from storm to storm
// up to a second; its rings are looked at all the same by whoever is awake, and at the latest when
// that time ends. The flooder slows down nobody but itself.
//
// Pure; time comes in as arguments, in nanoseconds of the monotonic clock.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "protocols/ring.h"

namespace cede {

// One for each session and side.
class BellGuard {
 public:
  using Nanoseconds = std::uint64_t;

  static constexpr std::uint32_t kTolerated = 64;  // spurious bells in one window
  static constexpr Nanoseconds kWindow = 100'000'000;
  static constexpr Nanoseconds kShortest = 1'000'000;
  static constexpr Nanoseconds kLongest = 1'000'000'000;
  static constexpr Nanoseconds kForgiven = 10'000'000'000;  // without a storm: back to kShortest
  static constexpr std::uint32_t kMaxEarned = 64;

  // Work was found on an armed ring: the peer has rung, or is about to.
  void earned() noexcept { earned_ = std::min(earned_ + 1, kMaxEarned); }
  void rung() noexcept { ++unjudged_; }

  // To be asked after the rings were looked at. Nothing: all is well. Otherwise: do not watch the
  // doorbell for so long.
  [[nodiscard]] Nanoseconds judge(Nanoseconds now) noexcept {
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
  Nanoseconds window_start_ = 0;
  Nanoseconds last_storm_ = 0;
  Nanoseconds deaf_ = kShortest;
};

// Either half of a ring, with the bookkeeping for its session's guard.
template <class Ring>
class GuardedRing {
 public:
  // `guard` outlives the ring.
  GuardedRing(std::byte* base, RingShape shape, BellGuard& guard) noexcept
      : ring_(base, shape), guard_(&guard) {}

  [[nodiscard]] std::uint32_t slots() const noexcept { return ring_.slots(); }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return ring_.in_flight(); }

  // Is there something to take? Verdict::Ready stays so until it is taken.
  [[nodiscard]] Verdict peek() noexcept { return noted(ring_.peek()); }
  [[nodiscard]] Verdict take(typename Ring::Taken& item) noexcept {
    return noted(ring_.take(item));
  }
  // Asks for a bell at the next item. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept {
    armed_ = true;
    return noted(ring_.arm());
  }

  void put(const typename Ring::Sent& item) noexcept { ring_.put(item); }
  // True: ring the peer's bell.
  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }

 private:
  Verdict noted(Verdict verdict) noexcept {
    if (verdict == Verdict::Ready && armed_) {
      armed_ = false;
      guard_->earned();
    }
    return verdict;
  }

  Ring ring_;
  BellGuard* guard_;
  bool armed_ = true;  // a fresh ring asks for a bell at its first item
};

}  // namespace cede
