// SPDX-License-Identifier: Apache-2.0
// Lets all contenders carry the same loads, by turns, and notes how near the processors were to
// each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/ring/model/traffic.h"
#include "tests/bench/ring/trial.h"

namespace cede::bench::ring {

// How long a cache line takes, there and back, beside a sample. Hosts move virtual processors
// about, and every figure moves with them by a factor of up to five: only samples of one class
// compare.
enum class Nearness : std::uint8_t {
  Siblings,  // up to 90 ns: two threads of a core
  Near,      // up to 250 ns: one cache
  Apart,
  Moved,  // not the same before and after; compares with nothing
};
inline constexpr std::size_t kNearnesses = 3;  // that compare
[[nodiscard]] std::string_view to_string(Nearness nearness);

struct RingSample {
  Trial trial;
  double ping = 0;  // nanoseconds, of a bare cache line, mean of before and after
  Nearness nearness = Nearness::Moved;
};

[[nodiscard]] std::vector<Cell> all_cells();

struct RingPlan {
  std::vector<Cell> cells;
  std::vector<Entrant> contenders;
  std::chrono::nanoseconds duration{0};
  unsigned repetitions = 0;
  unsigned attempts = 3;  // at a sample whose processors moved, or were somebody else's
};

struct CellResult {
  Cell cell;
  std::vector<std::vector<RingSample>> samples;        // [contender][repetition]
  std::vector<std::optional<TrafficPerTrip>> traffic;  // [contender]
};

// Tells its progress on stderr. Throws std::runtime_error.
[[nodiscard]] std::vector<CellResult> measure(const RingPlan& plan);

}  // namespace cede::bench::ring
