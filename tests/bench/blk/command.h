// SPDX-License-Identifier: Apache-2.0
// `cede-bench blk`: its options, and the run.
#pragma once

#include <cstdint>

#include "tests/bench/blk/measurement.h"
#include "tests/bench/command.h"

namespace cede::bench {

class BlkCommand : public Command {
 public:
  explicit BlkCommand(CLI::App& app);
  [[nodiscard]] int run() const override;

 private:
  [[nodiscard]] Plan plan() const;

  std::uint64_t mebibytes_ = 256;
};

}  // namespace cede::bench
