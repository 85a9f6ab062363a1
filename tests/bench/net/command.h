// SPDX-License-Identifier: Apache-2.0
// `cede-bench net`: its options, and the run.
#pragma once

#include "tests/bench/command.h"
#include "tests/bench/net/measurement.h"

namespace cede::bench {

class NetCommand : public Command {
 public:
  explicit NetCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  [[nodiscard]] NetPlan plan() const;
};

}  // namespace cede::bench
