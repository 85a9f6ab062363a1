// SPDX-License-Identifier: Apache-2.0
// What the demo's audience sees: numbered steps, single facts, and Cede's own commands with their
// output, as a user would type them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace cede::cli {

class Stage {
 public:
  // A heading: "[3/8] Two guests boot".
  void step(const std::string& what);
  // One line below a heading. Safe to call from one thread only, like everything here.
  void say(const std::string& line) const;
  // A claim that was checked. One that does not hold is shown as such and makes all_held() false.
  void check(bool holds, const std::string& claim);

  // Shows and runs a command of this very program, for example {"ls", "demo"}; its output goes to
  // the terminal. True: it exited with 0.
  bool run_cede(const std::vector<std::string>& arguments) const;

  [[nodiscard]] bool all_held() const noexcept { return all_held_; }
  void set_steps(int steps) noexcept { steps_ = steps; }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  int steps_ = 0;
  int step_ = 0;
  bool all_held_ = true;
};

// A program of the distribution, run to its end; both outputs together, and its exit status (128 +
// signal when killed, 127 when it could not be started).
struct ToolResult {
  int exit_status = 0;
  std::string output;
};
[[nodiscard]] ToolResult run_tool(const std::vector<std::string>& arguments);

}  // namespace cede::cli
