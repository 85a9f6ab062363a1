// SPDX-License-Identifier: Apache-2.0
// The steps as tables, a line for each, and as JSON.
#pragma once

#include <string>

#include "tests/bench/scale/idle_memory.h"
#include "tests/bench/scale/measurement.h"

namespace cede::bench {

[[nodiscard]] std::string as_tables(const ScalePlan& plan, const std::vector<ScaleStep>& all,
                                    const std::vector<IdleMemory>& idle);
[[nodiscard]] std::string as_json(const ScalePlan& plan, const std::vector<ScaleStep>& all,
                                  const std::vector<IdleMemory>& idle);
[[nodiscard]] std::uint64_t failed_operations(const std::vector<ScaleStep>& all);

}  // namespace cede::bench
