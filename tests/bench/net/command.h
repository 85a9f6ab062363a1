// SPDX-License-Identifier: Apache-2.0
// cede-bench net: its options, and the run.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/net/measurement.h"

namespace CLI {
class App;
}

namespace cede::bench {

class NetCommand {
 public:
  explicit NetCommand(CLI::App& app);
  [[nodiscard]] bool chosen() const;
  // The program's exit status. Throws std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  [[nodiscard]] NetPlan plan() const;

  CLI::App* app_;
  double seconds_ = 1;
  unsigned repetitions_ = 5;
  std::vector<std::string> workloads_;
  std::vector<std::string> systems_;
  std::string json_;
  bool quick_ = false;
};

}  // namespace cede::bench
