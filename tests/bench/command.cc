// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

namespace cede::bench {

Command::Command(CLI::App& app, const std::string& name, const std::string& what,
                 const std::string& explanation)
    : options_(app.add_subcommand(name, what)) {
  options_->footer(explanation);
}

bool Command::chosen() const {
  return options_->parsed();
}

void Command::add_seconds(const std::string& what, const Seconds& seconds) {
  quick_seconds_ = seconds.quick;
  options_->add_option("--seconds", seconds_, what)
      ->check(CLI::Range(seconds.least, 3600.0))
      ->capture_default_str();
}

std::chrono::nanoseconds Command::duration() const {
  const std::chrono::duration<double> seconds(quick_ ? quick_seconds_ : seconds_);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
}

void Command::add_repetitions(const std::string& what, unsigned normally) {
  repetitions_ = normally;
  options_->add_option("--repetitions", repetitions_, what)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
}

void Command::add_filters(std::string_view what, std::vector<std::string>& filters) {
  options_
      ->add_option(fmt::format("--{}", what), filters,
                   fmt::format("Only {}s whose name contains this (or this,...)", what))
      ->delimiter(',');
}

void Command::add_choices() {
  add_filters("workload", workloads_);
  add_filters("system", systems_);
}

void Command::add_json() {
  options_->add_option(
      "--json", json_,
      "Write the results to this file; -: to standard output, instead of the tables");
}

void Command::add_quick(const std::string& what) {
  options_->add_flag("--quick", quick_, what);
}

int Command::exit_status(std::uint64_t failures, std::string_view what) {
  if (failures == 0) return 0;
  fmt::print(stderr, "cede-bench: {} {}\n", failures, what);
  return 1;
}

}  // namespace cede::bench
