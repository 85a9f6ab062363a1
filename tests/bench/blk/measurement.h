// SPDX-License-Identifier: Apache-2.0
// Runs workloads on systems, one sample after the other, so that all systems meet the same machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/blk/system.h"
#include "tests/bench/blk/workload.h"

namespace cede::bench {

struct Plan {
  std::vector<Workload> workloads;
  std::vector<SystemKind> systems;
  std::uint64_t image_bytes = 256 << 20;
  std::chrono::nanoseconds duration = std::chrono::seconds(1);  // of one sample
  unsigned repetitions = 5;
  // A sample during which others used more than kDisturbed of the machine is taken again, until it
  // was taken so many times; the least disturbed one counts.
  unsigned attempts = 3;
};

struct Measured {
  double iops = 0;
  double megabytes = 0;  // a second, of 10^6
  double p50 = 0;        // microseconds
  double p99 = 0;
  struct Use {
    std::string role;
    double seconds = 0;  // of processor time, for a million operations
  };
  std::vector<Use> processes;  // the client first
  std::uint64_t errors = 0;    // operations that failed
  double others = 0;           // share of the machine's processor time that went elsewhere
  double round_trip = 0;       // of a cache line, just before; nanoseconds
  unsigned attempts = 1;
};

// [workload][system][repetition]
using Measurements = std::vector<std::vector<std::vector<Measured>>>;

inline constexpr double kDisturbed = 0.05;

// Tells its progress on stderr. Throws std::runtime_error.
[[nodiscard]] Measurements measure(const Plan& plan);

}  // namespace cede::bench
