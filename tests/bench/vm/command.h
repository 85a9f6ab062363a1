// SPDX-License-Identifier: Apache-2.0
// `cede-bench vm`: its options, and the run.
#pragma once

#include <string>

#include "tests/bench/blk/measurement.h"
#include "tests/bench/command.h"
#include "tests/bench/net/measurement.h"

namespace cede::bench {

class VmCommand : public Command {
 public:
  explicit VmCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  // Both may have no workload.
  [[nodiscard]] Plan block_plan() const;
  [[nodiscard]] NetPlan net_plan() const;

  std::string images_;
};

}  // namespace cede::bench
