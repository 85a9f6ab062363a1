// SPDX-License-Identifier: Apache-2.0
// cede-bench recovery: its options, and the run.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cede::bench {

class RecoveryCommand {
 public:
  explicit RecoveryCommand(CLI::App& app);
  [[nodiscard]] bool chosen() const;
  // The program's exit status. Throws std::runtime_error.
  [[nodiscard]] int run() const;

 private:
  CLI::App* app_;
  unsigned repetitions_ = 10;
  std::vector<std::string> workloads_;
  std::vector<std::string> systems_;
  std::string json_;
  std::string images_;
  bool quick_ = false;
};

}  // namespace cede::bench
