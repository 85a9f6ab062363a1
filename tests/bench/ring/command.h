// SPDX-License-Identifier: Apache-2.0
// `cede-bench ring`: its options, and the run.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/command.h"
#include "tests/bench/ring/measurement.h"

namespace cede::bench {

class RingCommand : public Command {
 public:
  explicit RingCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  [[nodiscard]] ring::RingPlan plan() const;

  double milliseconds_ = 10;
  std::vector<std::string> cells_;
  std::vector<std::string> contenders_;
};

}  // namespace cede::bench
