// SPDX-License-Identifier: Apache-2.0
// `cede-bench recovery`: its options, and the run.
#pragma once

#include <string>

#include "tests/bench/command.h"

namespace cede::bench {

class RecoveryCommand : public Command {
 public:
  explicit RecoveryCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  std::string images_;
};

}  // namespace cede::bench
