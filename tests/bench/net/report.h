// SPDX-License-Identifier: Apache-2.0
// What the measurements say: medians with their spread, ratios, and whether the goals are met.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/net/measurement.h"

namespace cede::bench {

[[nodiscard]] std::string as_tables(const NetPlan& plan, const std::vector<NetResult>& all);
[[nodiscard]] std::string as_json(const NetPlan& plan, const std::vector<NetResult>& all);
[[nodiscard]] std::uint64_t failed_operations(const std::vector<NetResult>& all);

}  // namespace cede::bench
