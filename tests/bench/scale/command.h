// SPDX-License-Identifier: Apache-2.0
// cede-bench scale: its options, and the run.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/scale/measurement.h"

namespace CLI {
class App;
}

namespace cede::bench {

class ScaleCommand {
 public:
  explicit ScaleCommand(CLI::App& app);
  [[nodiscard]] bool chosen() const;
  // The program's exit status: 1 where an operation failed. Throws std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  CLI::App* app_;
  std::vector<unsigned> sessions_{1, 2, 4, 8, 16, 32, 64, 128, 256};
  std::uint32_t depth_ = 8;
  double seconds_ = 1;
  unsigned repetitions_ = 3;
  std::string json_;
  bool quick_ = false;
};

}  // namespace cede::bench
