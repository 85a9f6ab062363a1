// SPDX-License-Identifier: Apache-2.0
// `cede-bench blk`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/blk/measurement.h"

namespace CLI {
class App;
}

namespace cede::bench {

class BlkCommand {
 public:
  // Adds the subcommand to `app`, which has to parse before run().
  explicit BlkCommand(CLI::App& app);
  BlkCommand(const BlkCommand&) = delete;
  BlkCommand& operator=(const BlkCommand&) = delete;

  // The process's exit status: 0, or 1 where an operation failed; speed is not judged. Throws
  // std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  [[nodiscard]] Plan plan() const;

  double seconds_ = 1;
  unsigned repetitions_ = 5;
  std::uint64_t mebibytes_ = 256;
  std::vector<std::string> workloads_;
  std::vector<std::string> systems_;
  std::string json_;
  bool quick_ = false;
};

}  // namespace cede::bench
