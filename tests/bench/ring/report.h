// SPDX-License-Identifier: Apache-2.0
// What the measurements say: tables, ratios with goals, and how far each ring is from the floor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/ring/measurement.h"

namespace cede::bench::ring {

[[nodiscard]] std::string as_tables(const RingPlan& plan, const std::vector<CellResult>& all);
[[nodiscard]] std::string as_json(const RingPlan& plan, const std::vector<CellResult>& all);
// Responses that were not the next one that was due.
[[nodiscard]] std::uint64_t wrong_responses(const std::vector<CellResult>& all);

}  // namespace cede::bench::ring
