// SPDX-License-Identifier: Apache-2.0
// What the samples of a cell say: medians within one class of nearness, and who is ahead of whom.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/ring/measurement.h"

namespace cede::bench::ring {

// One figure of one contender: the median of the repetitions, and the middle half of them.
struct Middle {
  double median = 0;
  double lower = 0;
  double upper = 0;
};

struct Summary {
  std::size_t samples = 0;  // of that class
  Middle rate;              // round trips a second
  double p50 = 0;           // nanoseconds, medians
  double p99 = 0;
  double ping = 0;
};

// The samples of one class. Nothing where there is none.
[[nodiscard]] std::optional<Summary> summarize(const std::vector<RingSample>& samples,
                                               Nearness nearness);

// The class in which the contender with the fewest samples has the most of them: where the cell's
// contenders are compared. Nothing: no class has samples of all.
[[nodiscard]] std::optional<Nearness> common_nearness(const CellResult& result);

// Cede over one other contender, cell by cell.
struct Standing {
  Entrant against{};
  std::size_t cells = 0;  // that could be compared
  double ratio = 0;       // of rates, geometric mean
  double least = 0;       // the worst cell, and the best
  double most = 0;
  std::vector<std::string>
      behind;  // cells where the other is faster and the middle halves are apart
};

// Over the cells that `wanted` says yes to. Empty if Cede did not take part.
[[nodiscard]] std::vector<Standing> standings(const RingPlan& plan,
                                              const std::vector<CellResult>& all,
                                              const std::function<bool(const Cell&)>& wanted);

}  // namespace cede::bench::ring
