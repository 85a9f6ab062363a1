// SPDX-License-Identifier: Apache-2.0
// What so many sessions on one driver cost, and what they get.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/bench/spread.h"

namespace cede::bench {

struct ScalePlan {
  std::vector<unsigned> sessions;       // of each step; a new broker and driver for each sample
  std::uint32_t depth = 8;              // operations that each client keeps in flight
  std::chrono::nanoseconds duration{};  // of idleness, then of work
  unsigned repetitions = 3;
};

// One run of one step.
struct ScaleSample {
  double connect_first = 0;  // milliseconds, from all clients' requests at once
  double connect_median = 0;
  double connect_last = 0;

  double driver_resident = 0;  // KiB, of an idle driver: see ProcessMemory
  double driver_proportional = 0;
  double driver_for_session = 0;  // own memory beyond that without a session, for each
  double broker_resident = 0;
  double broker_for_session = 0;

  double driver_wakeups = 0;  // a second, idle
  double driver_busy = 0;     // milliseconds a second
  double broker_wakeups = 0;
  double broker_busy = 0;

  double iops = 0;  // of all clients
  double least = 0;
  double median = 0;
  double most = 0;
  double fairness = 0;     // Jain's index: 1 where all have the same, 1/n where one has all
  double driver_cost = 0;  // microseconds of processor time for each operation
  double others = 0;       // share of the machine's processor time that went elsewhere

  std::uint64_t errors = 0;  // operations that failed
};

// A figure of a sample: how it is called, and in which table it is.
struct ScaleFigure {
  std::string_view name;   // in JSON
  std::string_view table;  // which is all figures of the same
  std::string_view column;
  int decimals;
  double ScaleSample::*value;
};
[[nodiscard]] const std::vector<ScaleFigure>& scale_figures();

struct ScaleStep {
  unsigned sessions = 0;
  std::vector<ScaleSample> samples;

  [[nodiscard]] Spread spread(double ScaleSample::*value) const;
};

// The steps take turns. Tells its progress on stderr. Throws std::runtime_error.
[[nodiscard]] std::vector<ScaleStep> measure(const ScalePlan& plan);

}  // namespace cede::bench
