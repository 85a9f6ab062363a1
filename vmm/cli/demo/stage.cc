// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/demo/stage.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "protocols/posix/fd.h"

namespace cede::cli {
namespace {

const std::string kThisProgram = "/proc/self/exe";

// Runs a program with its output where it is (-1) or into a descriptor.
int run(const std::string& program, const std::vector<std::string>& arguments, int output) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  }
  pid_t child = -1;
  const int failed =
      ::posix_spawnp(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;

  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void Stage::step(const std::string& what) {
  ++step_;
  fmt::print("\n\033[1m[{}/{}] {}\033[0m\n", step_, steps_, what);
  std::fflush(stdout);
}

void Stage::say(const std::string& line) const {
  const auto elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_);
  fmt::print("  {:6.1f} s  {}\n", elapsed.count(), line);
  std::fflush(stdout);
}

void Stage::check(bool holds, const std::string& claim) {
  all_held_ = all_held_ && holds;
  say(fmt::format("{} {}", holds ? "\033[32mok\033[0m  " : "\033[31mFAIL\033[0m", claim));
}

bool Stage::run_cede(const std::vector<std::string>& arguments) const {
  fmt::print("  $ cede {}\n", fmt::join(arguments, " "));
  std::fflush(stdout);
  std::vector<std::string> command{"cede"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(kThisProgram, command, -1) == 0;
}

ToolResult run_tool(const std::vector<std::string>& arguments) {
  // A file and not a pipe: it takes any amount without anybody reading meanwhile.
  const Fd output(::memfd_create("output", MFD_CLOEXEC));
  ToolResult result;
  result.exit_status = run(arguments.front(), arguments, output.get());
  char buffer[4096];
  off_t offset = 0;
  for (ssize_t got = 0; (got = ::pread(output.get(), buffer, sizeof buffer, offset)) > 0;) {
    result.output.append(buffer, static_cast<std::size_t>(got));
    offset += got;
  }
  return result;
}

}  // namespace cede::cli
