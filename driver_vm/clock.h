// SPDX-License-Identifier: Apache-2.0
// The driver's one notion of time. Policies take an Instant as an argument and never ask for it.
#pragma once

#include <cstdint>
#include <ctime>

namespace cede::driver {

using Instant = std::uint64_t;   // nanoseconds of CLOCK_MONOTONIC
using Duration = std::uint64_t;  // nanoseconds

inline constexpr Instant kNever = UINT64_MAX;
inline constexpr Duration kMicrosecond = 1'000;
inline constexpr Duration kMillisecond = 1'000'000;
inline constexpr Duration kSecond = 1'000'000'000;

[[nodiscard]] inline Instant monotonic_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Instant>(time.tv_sec) * kSecond + static_cast<Instant>(time.tv_nsec);
}

}  // namespace cede::driver
