// SPDX-License-Identifier: Apache-2.0
// cede bench, cede attack, cede report: become the programs that measure.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "vmm/cli/command.h"
#include "vmm/supervisor/programs.h"

namespace cede::cli {
namespace {

[[noreturn]] void become(const std::string& name, const char* build_folder,
                         std::vector<std::string> words) {
  const std::string program = supervisor::find_program(name, build_folder).string();
  words.insert(words.begin(), program);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  throw std::runtime_error(
      fmt::format("cannot start '{}': {}", program, std::generic_category().message(errno)));
}

// `cede NAME ...` is `cede-NAME ...`.
void add(CLI::App& app, const std::string& name, const char* build_folder, const char* about) {
  CLI::App* command = app.add_subcommand(name, fmt::format("{}; see cede {} --help", about, name));
  // Everything that follows is for that program, --help too.
  command->set_help_flag();
  command->prefix_command();
  command->callback([=] {
    std::vector<std::string> words = command->remaining();
    if (words.empty()) words.emplace_back("--help");
    become("cede-" + name, build_folder, std::move(words));
  });
}

}  // namespace

void add_measurements(CLI::App& app) {
  add(app, "bench", "tests/bench", "Measure Cede beside what it has to be compared with");
  add(app, "attack", "tests/attack", "Let hostile clients and drivers loose on a system");
  add(app, "report", "tests/report", "Measure everything, and write one page of it");
}

}  // namespace cede::cli
