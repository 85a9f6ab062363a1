// SPDX-License-Identifier: Apache-2.0
// cede-bench ring: its options, and the run.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/ring/measurement.h"

namespace CLI {
class App;
}

namespace cede::bench {

class RingCommand {
 public:
  explicit RingCommand(CLI::App& app);
  [[nodiscard]] bool chosen() const;
  // The program's exit status. Throws std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  [[nodiscard]] ring::RingPlan plan() const;

  CLI::App* app_;
  double milliseconds_ = 10;
  unsigned repetitions_ = 5;
  std::vector<std::string> cells_;
  std::vector<std::string> contenders_;
  std::string json_;
  bool quick_ = false;
};

}  // namespace cede::bench
