// SPDX-License-Identifier: Apache-2.0
// How long everybody waits when a driver goes and comes back, and how fast sessions come and go.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace cede::bench {

// One row of the table: a workload on a system. Set up for each sample anew, by the sample itself.
struct RecoveryRow {
  std::string_view workload;
  std::string_view system;
  std::string_view what;
  std::string_view unit;           // of a sample
  std::function<double()> sample;  // throws std::runtime_error
};

// With rows of driver VMs where there is a directory with their images.
[[nodiscard]] std::vector<RecoveryRow> recovery_rows(bool quick,
                                                     const std::filesystem::path& images);

struct RecoveryPlan {
  std::vector<RecoveryRow> rows;
  unsigned repetitions = 10;
};

struct RecoveryResult {
  RecoveryRow row;
  std::vector<double> samples;
};

// The rows take turns. Tells its progress on stderr. Throws std::runtime_error.
[[nodiscard]] std::vector<RecoveryResult> measure(const RecoveryPlan& plan);

[[nodiscard]] std::string as_tables(const RecoveryPlan& plan,
                                    const std::vector<RecoveryResult>& all);
[[nodiscard]] std::string as_json(const RecoveryPlan& plan, const std::vector<RecoveryResult>& all);

}  // namespace cede::bench
