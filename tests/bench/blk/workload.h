// SPDX-License-Identifier: Apache-2.0
// What is asked of a block target, and what came of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "protocols/stats.h"

namespace cede::bench {

struct Workload {
  std::string name;
  bool write = false;
  bool random = true;
  std::uint32_t bytes = 4096;  // of each operation
  std::uint32_t depth = 1;     // operations in flight, always
};

inline constexpr std::uint32_t kMaxDepth = 128;
// Payload of all operations in flight, at most.
inline constexpr std::uint32_t kMaxPayload = 1U << 20;

[[nodiscard]] inline std::vector<Workload> standard_workloads() {
  std::vector<Workload> all;
  for (const std::uint32_t depth : {1U, 32U, kMaxDepth}) {
    const std::string suffix = std::string("-4k-qd").append(std::to_string(depth));
    all.push_back({std::string("randread").append(suffix), false, true, 4096, depth});
    all.push_back({std::string("randwrite").append(suffix), true, true, 4096, depth});
  }
  all.push_back({"read-128k-qd8", false, false, 128 << 10, 8});
  all.push_back({"write-128k-qd8", true, false, 128 << 10, 8});
  return all;
}

// One run of one workload on one target.
struct Sample {
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;
  double seconds = 0;
  std::array<std::uint64_t, kLatencyBuckets> latency{};

  [[nodiscard]] double iops() const { return static_cast<double>(operations) / seconds; }
  // Microseconds; `share` in (0, 1).
  [[nodiscard]] double percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(operations));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < latency.size(); ++bucket) {
      seen += latency[bucket];
      if (seen > wanted) return static_cast<double>(latency_floor(bucket)) / 1000.0;
    }
    return 0;
  }
};

}  // namespace cede::bench
