// SPDX-License-Identifier: Apache-2.0
// Sessions that come and go at a real broker, between clients and drivers that do nothing else:
// map, say so, unmap, say so.
#pragma once

#include <chrono>
#include <cstdint>

namespace cede::bench {

inline constexpr std::uint32_t kSessionPages = 256;

// Milliseconds of one session's way, from Connect to Connected at both sides, and from Close to
// Closed at both: mean of `sessions`, one after the other.
struct SessionTimes {
  double connect = 0;
  double disconnect = 0;
};
[[nodiscard]] SessionTimes time_sessions(unsigned sessions);

// Sessions a second, with so many clients at it at the same time.
[[nodiscard]] double churn(unsigned clients, std::chrono::nanoseconds duration);

}  // namespace cede::bench
