// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

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
    : Command(app, "ring", "Rings: Cede's, Xen's, DPDK's, Boost's, virtio's.", explanation()) {
  options()
      .add_option("--milliseconds", milliseconds_, "Length of one sample")
      ->check(CLI::Range(0.1, 60000.0))
      ->capture_default_str();
  add_repetitions("Samples of each contender and cell", 5);
  add_filters("cell", cells_);
  add_filters("contender", contenders_);
  add_json();
  add_quick("A smoke test: samples too short to mean anything");
}

ring::RingPlan RingCommand::plan() const {
  std::vector<NamedCell> all;
  for (const ring::Cell& cell : ring::all_cells()) all.push_back({cell.name(), cell});
  const std::chrono::duration<double, std::milli> length(quick() ? kQuickMilliseconds
                                                                 : milliseconds_);
  ring::RingPlan plan{.cells = {},
                      .contenders = select<ring::Entrant>(ring::kRoster, contenders_, "contender"),
                      .duration = std::chrono::duration_cast<std::chrono::nanoseconds>(length),
                      .repetitions = repetitions(),
                      .attempts = quick() ? 1U : ring::RingPlan{}.attempts};
  for (const NamedCell& cell : select<NamedCell>(all, cells_, "cell")) {
    plan.cells.push_back(cell.cell);
  }
  return plan;
}

int RingCommand::run() const {
  const ring::RingPlan chosen = plan();
  const std::vector<ring::CellResult> all = measure(chosen);
  print_results(
      json(), [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  return exit_status(wrong_responses(all), "responses were wrong");
}

}  // namespace cede::bench
