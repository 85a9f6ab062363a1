// SPDX-License-Identifier: Apache-2.0
// Runs workloads on systems, one sample after the other, so that all systems meet the same machine.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/net/join.h"
#include "tests/bench/net/sample.h"

namespace cede::bench {

// What a table row measures. Set up for one workload and dropped after it.
class Subject {
 public:
  Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  virtual ~Subject() = default;
  // Throws std::runtime_error.
  [[nodiscard]] virtual NetSample run(std::chrono::nanoseconds duration) = 0;
};

struct NetSystem {
  std::string_view name;
  std::string_view what;
  std::function<std::unique_ptr<Subject>()> start;  // throws std::runtime_error
};

struct NetWorkload {
  std::string_view name;
  std::string_view what;
  std::string_view unit;  // of the rate, which is given in so many
  double scale = 1;
  std::string_view per;  // what processor time is given for: so much of the rate's
  double per_scale = 1;
  bool timed = false;  // has p50 and p99
  std::vector<NetSystem> systems;
  std::string_view compared;  // the system whose rate is given over each other's
};

[[nodiscard]] std::vector<NetWorkload> net_workloads();
// Those that every kind of join can be put under.
[[nodiscard]] std::vector<NetWorkload> join_workloads(std::span<const JoinKind> kinds,
                                                      std::string_view compared);

struct NetGoal {
  std::string_view workload;
  std::string_view under;  // the system that Cede is compared with
  double wanted = 0;       // Cede's rate over its
};
[[nodiscard]] std::span<const NetGoal> net_goals();

struct NetPlan {
  std::vector<NetWorkload> workloads;
  std::vector<std::string> systems;  // parts of names; none: all
  std::chrono::nanoseconds duration = std::chrono::seconds(1);
  unsigned repetitions = 5;
};

struct NetResult {
  NetWorkload workload;                         // with the systems that were measured
  std::vector<std::vector<NetSample>> samples;  // [system][repetition]
};

// Tells its progress on stderr. Throws std::runtime_error.
[[nodiscard]] std::vector<NetResult> measure(const NetPlan& plan);

}  // namespace cede::bench
