// SPDX-License-Identifier: Apache-2.0
// What every subcommand of `cede` has in common. One file for each; main.cc lists them.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cede::cli {

// Exit codes of every command.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;  // it was tried, and did not work
inline constexpr int kUsage = 2;  // the command line or the description is wrong: nothing was tried

// Ends a command with kUsage and one line.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Each adds its subcommand to `app`; when it is chosen, it runs and sets `exit_code`. A command may
// throw std::runtime_error, whose text is shown, and which means kFailed.
void add_up(CLI::App& app, int& exit_code);
void add_down(CLI::App& app, int& exit_code);
void add_ls(CLI::App& app, int& exit_code);
void add_top(CLI::App& app, int& exit_code);
void add_connect(CLI::App& app, int& exit_code);
void add_disconnect(CLI::App& app, int& exit_code);
void add_restart(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_qemu_args(CLI::App& app, int& exit_code);
void add_demo(CLI::App& app, int& exit_code);  // where demo.cc is part of the build
void add_measurements(CLI::App& app);          // bench, attack, report

// The name of the system that a command is about: `name`, or the only one that runs.
[[nodiscard]] std::string choose_system(const std::string& name);
// The systems that run now.
[[nodiscard]] std::vector<std::string> running_systems();

}  // namespace cede::cli
