// SPDX-License-Identifier: Apache-2.0
// `cede-bench scale`: its options, and the run.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/command.h"

namespace cede::bench {

class ScaleCommand : public Command {
 public:
  explicit ScaleCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  std::vector<unsigned> sessions_{1, 2, 4, 8, 16, 32, 64, 128, 256};
  std::uint32_t depth_ = 8;
};

}  // namespace cede::bench
