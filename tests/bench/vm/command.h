// SPDX-License-Identifier: Apache-2.0
// cede-bench vm: its options, and the run.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/bench/blk/measurement.h"
#include "tests/bench/net/measurement.h"

namespace CLI {
class App;
}

namespace cede::bench {

class VmCommand {
 public:
  explicit VmCommand(CLI::App& app);
  [[nodiscard]] bool chosen() const;
  // The program's exit status. Throws std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  // Both may have no workload.
  [[nodiscard]] Plan block_plan() const;
  [[nodiscard]] NetPlan net_plan() const;
  [[nodiscard]] std::chrono::nanoseconds duration() const;
  [[nodiscard]] unsigned repetitions() const { return quick_ ? 1 : repetitions_; }

  CLI::App* app_;
  double seconds_ = 1;
  unsigned repetitions_ = 5;
  std::vector<std::string> workloads_;
  std::vector<std::string> systems_;
  std::string json_;
  std::string images_;
  bool quick_ = false;
};

}  // namespace cede::bench
