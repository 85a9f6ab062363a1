// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "tests/bench/blk/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

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

BlkCommand::BlkCommand(CLI::App& app)
    : Command(app, "blk",
              "Block devices: raw io_uring, Cede's library and endpoint, qemu-storage-daemon.",
              explanation()) {
  add_seconds("Length of one sample", {.least = 0.01, .quick = 0.1});
  add_repetitions("Samples of each system and workload", 5);
  options()
      .add_option("--size", mebibytes_, "Size of each image, MiB")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_choices();
  add_json();
  add_quick("A smoke test: small images, and samples too short to mean anything");
}

Plan BlkCommand::plan() const {
  Plan plan{.workloads = select<Workload>(standard_workloads(), workloads(), "workload"),
            .systems = select<SystemKind>(system_kinds(), systems(), "system"),
            .image_bytes = (quick() ? kQuickMebibytes : mebibytes_) << 20,
            .duration = duration(),
            .repetitions = repetitions()};
  if (quick()) plan.attempts = 1;
  return plan;
}

int BlkCommand::run() const {
  const Plan chosen = plan();
  const Measurements all = measure(chosen);
  print_results(
      json(), [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  return exit_status(failed_operations(all), "operations failed");
}

}  // namespace cede::bench
