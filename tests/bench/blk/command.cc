// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/bench/blk/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

constexpr double kQuickSeconds = 0.1;
constexpr unsigned kQuickRepetitions = 1;
constexpr std::uint64_t kQuickMebibytes = 16;

std::string explanation() {
  std::string text =
      "Every system serves an image of its own, in memory. The load generator is this process,\n"
      "and the same for all of them. First it checks that what it writes reaches the image, and\n"
      "that what the image holds is read. Then it measures: a closed loop that keeps so many\n"
      "operations in flight, looks for completions for 10 us, then sleeps. The systems take\n"
      "turns; a sample during which others used the machine is taken again. The exit status tells\n"
      "of failed operations only, never of speed.\n\n"
      "Systems (--system):\n";
  for (const SystemKind& kind : system_kinds()) {
    text += fmt::format("  {:<13} {}\n", kind.name, kind.what);
  }
  text += "\nWorkloads (--workload):\n ";
  int column = 0;
  for (const Workload& workload : standard_workloads()) {
    text += fmt::format("{}{}", column % 4 == 0 && column != 0 ? "\n  " : " ", workload.name);
    ++column;
  }
  text +=
      "\n\nExamples:\n"
      "  cede-bench blk                                       everything, some five minutes\n"
      "  cede-bench blk --workload qd32                       what the goals are about\n"
      "  cede-bench blk --system library,raw --seconds 3      the library beside raw io_uring\n"
      "  cede-bench blk --quick                               does everything work at all?\n"
      "  cede-bench blk --json -                              for a machine to read\n";
  return text;
}

}  // namespace

BlkCommand::BlkCommand(CLI::App& app) {
  CLI::App& blk = *app.add_subcommand(
      "blk", "Block devices: raw io_uring, Cede's library and endpoint, qemu-storage-daemon.");
  blk.footer(explanation());
  blk.add_option("--seconds", seconds_, "Length of one sample")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  blk.add_option("--repetitions", repetitions_, "Samples of each system and workload")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  blk.add_option("--size", mebibytes_, "Size of each image, MiB")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_choices(blk, workloads_, systems_, json_);
  blk.add_flag("--quick", quick_,
               "A smoke test: small images, and samples too short to mean anything");
}

Plan BlkCommand::plan() const {
  Plan plan{.workloads = select<Workload>(standard_workloads(), workloads_, "workload"),
            .systems = select<SystemKind>(system_kinds(), systems_, "system"),
            .image_bytes = mebibytes_ << 20,
            .duration = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds_ * 1e9)),
            .repetitions = repetitions_};
  if (quick_) {
    plan.duration = std::chrono::nanoseconds(static_cast<std::int64_t>(kQuickSeconds * 1e9));
    plan.repetitions = kQuickRepetitions;
    plan.attempts = 1;
    plan.image_bytes = kQuickMebibytes << 20;
  }
  return plan;
}

int BlkCommand::run() const {
  const Plan chosen = plan();
  const Measurements all = measure(chosen);
  print_results(
      json_, [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  const std::uint64_t failed = failed_operations(all);
  if (failed != 0) fmt::print(stderr, "cede-bench: {} operations failed\n", failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace cede::bench
