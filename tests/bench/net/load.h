// SPDX-License-Identifier: Apache-2.0
// Loads between two namespaces, all from this process, the same for every join.
#pragma once

#include <chrono>

#include "tests/bench/net/join.h"
#include "tests/bench/net/sample.h"

namespace cede::bench {

// Until a ping comes back. Throws std::runtime_error if none does.
void wait_until_joined(const Join& join);

// One TCP connection from left to right, written and read as fast as it goes; rate in bits. An
// error if what arrives is not as much as was sent.
[[nodiscard]] NetSample run_tcp(const Join& join, std::chrono::nanoseconds duration, Meter meter);

// UDP in frames of 64 bytes (with the four of the frame check sequence) from left to right, sent
// as fast as it goes; rate in packets that arrive.
[[nodiscard]] NetSample run_udp(const Join& join, std::chrono::nanoseconds duration, Meter meter);

// ICMP echoes from left to right, one at a time; rate in echoes. An error for one that is lost.
[[nodiscard]] NetSample run_ping(const Join& join, std::chrono::nanoseconds duration, Meter meter);
// The same with a pause of a millisecond after each: everybody has gone to sleep.
[[nodiscard]] NetSample run_slow_ping(const Join& join, std::chrono::nanoseconds duration,
                                      Meter meter);

}  // namespace cede::bench
