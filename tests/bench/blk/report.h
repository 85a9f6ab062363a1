// SPDX-License-Identifier: Apache-2.0
// What the measurements say: medians with their spread, ratios, and whether the goals are met.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/blk/measurement.h"
#include "tests/bench/spread.h"

namespace cede::bench {

// IOPS of one system over another's. Taken repetition by repetition: the two samples of one are
// neighbours in time, so a change of the machine between repetitions does not count.
struct Ratio {
  std::string_view over;  // the systems' names
  std::string_view under;
  Spread spread;
  std::optional<double> wanted;  // where there is a goal
};

struct Goal {
  std::string text;  // "randread-4k-qd32: endpoint / qsd-io_uring >= 1.00"
  Ratio ratio;
  bool met = false;
};

// The comparisons that this workload allows, with the systems that were measured.
[[nodiscard]] std::vector<Ratio> ratios(const Plan& plan, const Measurements& all, std::size_t w);
[[nodiscard]] std::vector<Goal> goals(const Plan& plan, const Measurements& all);
[[nodiscard]] std::uint64_t failed_operations(const Measurements& all);

[[nodiscard]] std::string as_tables(const Plan& plan, const Measurements& all);
[[nodiscard]] std::string as_json(const Plan& plan, const Measurements& all);

}  // namespace cede::bench
