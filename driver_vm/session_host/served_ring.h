// SPDX-License-Identifier: Apache-2.0
// A ring as a device class serves it: the backend's half, plus the bookkeeping that lets the
// session's KickGuard tell honest kicks from spurious ones.
#pragma once

#include <cstddef>

#include "driver_vm/session_host/kick_guard.h"
#include "protocols/ring.h"

namespace cede::driver {

template <SharedRecord Request, SharedRecord Response>
class ServedRing {
 public:
  // `guard` outlives the ring.
  ServedRing(std::byte* base, RingShape shape, KickGuard& guard) noexcept
      : ring_(base, shape), guard_(&guard) {}

  // Is there something to take? Verdict::Ready stays so until it is taken.
  [[nodiscard]] Verdict peek() noexcept { return noted(ring_.peek()); }
  // Copies the next request to `request`.
  [[nodiscard]] Verdict take(Request& request) noexcept { return noted(ring_.take(request)); }
  // Asks for a kick at the next request. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept {
    armed_ = true;
    return noted(ring_.arm());
  }

  void put(const Response& response) noexcept { ring_.put(response); }
  // True: call the frontend.
  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }

 private:
  Verdict noted(Verdict verdict) noexcept {
    if (verdict == Verdict::Ready && armed_) {
      armed_ = false;
      guard_->earned();
    }
    return verdict;
  }

  BackRing<Request, Response> ring_;
  KickGuard* guard_;
  bool armed_ = true;  // a fresh ring asks for a kick at its first request
};

}  // namespace cede::driver
