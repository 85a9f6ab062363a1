// SPDX-License-Identifier: Apache-2.0
// cede bench: becomes cede-bench, the program that measures.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "vmm/cli/command.h"
#include "vmm/supervisor/programs.h"

namespace cede::cli {
namespace {

[[noreturn]] void become_bench(std::vector<std::string> words) {
  const std::string program = supervisor::find_program("cede-bench", "tests/bench").string();
  words.insert(words.begin(), program);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  throw std::runtime_error(
      fmt::format("cannot start '{}': {}", program, std::generic_category().message(errno)));
}

}  // namespace

void add_bench(CLI::App& app, int& /*exit_code*/) {
  CLI::App* command = app.add_subcommand(
      "bench", "Measure Cede beside what it has to be compared with; see cede bench --help");
  // Everything that follows is for cede-bench, --help too.
  command->set_help_flag();
  command->prefix_command();
  command->callback([command] {
    std::vector<std::string> words = command->remaining();
    if (words.empty()) words.emplace_back("--help");
    become_bench(std::move(words));
  });
}

}  // namespace cede::cli
