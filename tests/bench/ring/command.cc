// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/bench/ring/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

constexpr double kQuickMilliseconds = 1;

std::string explanation() {
  std::string text =
      "A frontend sends requests, a backend answers each, and both check what they get. They are\n"
      "two pinned processes on a region that a real broker made, two pinned threads, or take "
      "turns\n"
      "in one; they spin, or sleep until an eventfd wakes them. The contenders take turns. How\n"
      "near the processors are to each other is measured beside every sample, and only samples of\n"
      "one nearness are compared. Beside the clock, cache lines that move are counted on a model\n"
      "of two caches, which the same code runs on. Needs two processors, and root for quiet ones.\n"
      "The exit status tells of wrong responses only, never of speed.\n\n"
      "Contenders (--contender):\n";
  for (const ring::Entrant& entrant : ring::kRoster) {
    text += fmt::format("  {:<10} {}\n", entrant.name, entrant.what);
  }
  text +=
      "\nWhat is not alike: while they spin, dpdk, boost and floor are spared the doorbells' "
      "fence,\n"
      "which the others pay; to sleep they are given a flag with one. In one thread no line "
      "moves.\n"
      "\nCells (--cell): place/wait/slot/load, for example\n"
      "  threads/spin/64B/8of32    slots of 64 bytes, batches of 8, 32 requests in flight\n"
      "\nExamples:\n"
      "  cede-bench ring                                      everything, some two minutes\n"
      "  cede-bench ring --cell threads/spin --contender cede,xen,floor\n"
      "  cede-bench ring --quick                              does everything work at all?\n"
      "  cede-bench ring --json -                             for a machine to read\n";
  return text;
}

// What selects by its name, as everything else that benchmarks select from.
struct NamedCell {
  std::string name;
  ring::Cell cell;
};

}  // namespace

RingCommand::RingCommand(CLI::App& app)
    : app_(app.add_subcommand("ring", "Rings: Cede's, Xen's, DPDK's, Boost's, virtio's.")) {
  app_->footer(explanation());
  app_->add_option("--milliseconds", milliseconds_, "Length of one sample")
      ->check(CLI::Range(0.1, 60000.0))
      ->capture_default_str();
  app_->add_option("--repetitions", repetitions_, "Samples of each contender and cell")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app_->add_option("--cell", cells_, "Only cells whose name contains this (or this,...)")
      ->delimiter(',');
  app_->add_option("--contender", contenders_,
                   "Only contenders whose name contains this (or this,...)")
      ->delimiter(',');
  app_->add_option("--json", json_,
                   "Write the results to this file; -: to standard output, instead of the tables");
  app_->add_flag("--quick", quick_, "A smoke test: samples too short to mean anything");
}

bool RingCommand::chosen() const {
  return app_->parsed();
}

ring::RingPlan RingCommand::plan() const {
  std::vector<NamedCell> all;
  for (const ring::Cell& cell : ring::all_cells()) all.push_back({cell.name(), cell});
  ring::RingPlan plan{.cells = {},
                      .contenders = select<ring::Entrant>(ring::kRoster, contenders_, "contender"),
                      .duration = std::chrono::nanoseconds(static_cast<std::int64_t>(
                          (quick_ ? kQuickMilliseconds : milliseconds_) * 1e6)),
                      .repetitions = quick_ ? 1 : repetitions_,
                      .attempts = quick_ ? 1U : ring::RingPlan{}.attempts};
  for (const NamedCell& cell : select<NamedCell>(all, cells_, "cell")) {
    plan.cells.push_back(cell.cell);
  }
  return plan;
}

int RingCommand::run() const {
  const ring::RingPlan chosen = plan();
  const std::vector<ring::CellResult> all = measure(chosen);
  print_results(
      json_, [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  const std::uint64_t wrong = wrong_responses(all);
  if (wrong != 0) fmt::print(stderr, "cede-bench: {} responses were wrong\n", wrong);
  return wrong == 0 ? 0 : 1;
}

}  // namespace cede::bench
