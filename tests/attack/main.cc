// SPDX-License-Identifier: Apache-2.0
// cede-attack: hostile clients and drivers against a running system, and what they cost the others.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <optional>

#include "tests/attack/output.h"
#include "tests/attack/trial.h"
#include "tests/bench/interrupt.h"
#include "tests/bench/selection.h"

namespace cede::attack {
namespace {

constexpr int kHarm = 3;  // exit status

struct Options {
  std::vector<std::string> names;
  std::vector<std::string> families;
  std::vector<System> systems;
  std::string json;
  std::string weakened;
  bool quick = false;
  std::optional<int> milliseconds;
};

void add_options(CLI::App& command, Options& options) {
  std::map<std::string, System> systems;
  for (std::size_t i = 0; i < kSystemNames.size(); ++i) {
    systems.emplace(kSystemNames[i], static_cast<System>(i));
  }
  command
      .add_option("--system", options.systems,
                  "Cede with memory that is donated, revocable or driver-owned, "
                  "qemu-storage-daemon, or dpdk-net-vhost; with commas between them. One attack: "
                  "donated; the matrix: all of them")
      ->transform(CLI::CheckedTransformer(systems))
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      .add_option("--phase", options.milliseconds,
                  "Milliseconds before, during and after: 1000, or 200 with --quick")
      ->check(CLI::Range(100, 600'000));
  command.add_flag("--quick", options.quick,
                   "Short phases, and no judgement of throughput and latency: a regression test");
  command
      .add_option("--weakened", options.weakened,
                  "A folder of programs to use before the sound ones: is the attack found to work?")
      ->check(CLI::ExistingDirectory);
  command.add_option("--json", options.json,
                     "Write the results to this file; -: to standard output, instead of the text");
}

TrialPlan plan_of(const Options& options, System system) {
  return {
      .system = system,
      .weakened = options.weakened,
      .phase = std::chrono::milliseconds(options.milliseconds.value_or(options.quick ? 200 : 1000)),
      .judges_speed = !options.quick};
}

std::vector<Trial> try_all(const Options& options, const std::vector<const Attack*>& attacks) {
  std::vector<std::pair<const Attack*, System>> all;
  for (const Attack* attack : attacks) {
    for (const System system : options.systems) {
      if (applies(*attack, system)) all.emplace_back(attack, system);
    }
  }
  std::vector<Trial> trials;
  for (const auto& [attack, system] : all) {
    bench::throw_if_interrupted();
    fmt::print(stderr, "\r\033[K{} of {}: {} ({})", trials.size() + 1, all.size(), attack->name,
               to_string(system));
    trials.push_back(try_attack(*attack, plan_of(options, system)));
  }
  fmt::print(stderr, "\r\033[K");
  return trials;
}

int run_named(Options options) {
  if (options.systems.empty()) options.systems = {System::Donated};
  std::vector<const Attack*> attacks;
  for (const std::string& name : options.names) attacks.push_back(&find_attack(name));
  const std::vector<Trial> trials = try_all(options, attacks);
  bench::print_results(
      options.json,
      [&] {
        std::string text;
        for (const Trial& trial : trials) text += as_text(trial);
        return text;
      },
      [&] { return as_json(trials); });
  return std::ranges::all_of(trials, &Trial::held) ? 0 : kHarm;
}

int run_matrix(Options options) {
  if (options.systems.empty()) {
    options.systems = {System::Donated, System::Revocable, System::DriverOwned,
                       System::QemuStorageDaemon, System::DpdkNetVhost};
  }
  std::vector<const Attack*> attacks;
  for (const Attack& attack : catalogue()) {
    if (bench::matches(attack.family, options.families)) attacks.push_back(&attack);
  }
  if (attacks.empty()) throw std::runtime_error("no family matches; see: cede attack list");
  const std::vector<Trial> trials = try_all(options, attacks);
  bench::print_results(
      options.json, [&] { return as_matrix(trials); }, [&] { return as_json(trials); });
  // What the others suffer is what the matrix is for.
  const auto harmed = [](const Trial& trial) {
    return trial.plan.system == System::Donated && !trial.held();
  };
  return std::ranges::any_of(trials, harmed) ? kHarm : 0;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Hostile clients and drivers against a system of its own; the user's are not touched.");
  app.require_subcommand(1);
  app.footer(
      "The exit status is 3 where an attack did harm; in the matrix, to donated "
      "memory.\n\nExamples:\n"
      "  cede attack list\n"
      "  cede attack run runaway-producer\n"
      "  cede attack run punch-hole --system donated,revocable\n"
      "  cede attack matrix --system donated,revocable,driver-owned --json matrix.json");
  Options options;
  CLI::App* list = app.add_subcommand("list", "What there is");
  CLI::App* one = app.add_subcommand("run", "One attack, or some, in detail");
  one->add_option("NAMES", options.names, "As in the list")->required();
  add_options(*one, options);
  CLI::App* matrix = app.add_subcommand("matrix", "All attacks, under each policy");
  matrix->add_option("--family", options.families, "Only families whose name contains this")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_options(*matrix, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (list->parsed()) {
    fmt::print("{}", as_list());
    return 0;
  }
  bench::catch_interrupts();
  return one->parsed() ? run_named(options) : run_matrix(options);
}

}  // namespace
}  // namespace cede::attack

int main(int argc, char** argv) {
  try {
    return cede::attack::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cede-attack: %s\n", error.what());
    return 1;
  }
}
