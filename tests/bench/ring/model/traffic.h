// SPDX-License-Identifier: Apache-2.0
// How many cache lines move for each request and its response: a figure that depends on the
// contender's code and layout, and not on the machine.
#pragma once

#include <cstdint>
#include <optional>

#include "tests/bench/ring/roster.h"

namespace cede::bench::ring {

// For each round trip, both directions together, once everything has found its pace.
struct TrafficPerTrip {
  double transfers = 0;
  double invalidations = 0;  // a line that both had was written; no data moves, but somebody waits
};

// Two threads that spin, on the model. nullopt: this build has no model (see CMakeLists.txt).
[[nodiscard]] std::optional<TrafficPerTrip> count_traffic(ContenderId contender,
                                                          std::uint32_t slot_bytes, Load load);

}  // namespace cede::bench::ring
