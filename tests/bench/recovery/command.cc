// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/recovery/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <stdexcept>

#include "tests/bench/recovery/measurement.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

std::string explanation() {
  std::string text =
      "A system is started by `cede up`, and a guest's driver reads from its disk, while the "
      "disk's\n"
      "driver is killed or restarted; and sessions come and go at a broker. The supervisor waits\n"
      "0.1 s on purpose before it starts a driver again that has died. The exit status tells of\n"
      "failures only, never of speed.\n\n"
      "Workloads (--workload) and systems (--system):\n";
  for (const RecoveryRow& row : recovery_rows(false, ".")) {
    text += fmt::format("  {:<11} {:<8} {}, {}\n", row.workload, row.system, row.what, row.unit);
  }
  text +=
      "\nExamples:\n"
      "  cede-bench recovery                                  everything, a minute\n"
      "  cede-bench recovery --workload crash,restart --repetitions 30\n"
      "  cede-bench recovery --quick                          does everything work at all?\n"
      "  cede-bench recovery --images build/images            beside drivers that are VMs\n"
      "  cede-bench recovery --json -                         for a machine to read\n";
  return text;
}

}  // namespace

RecoveryCommand::RecoveryCommand(CLI::App& app)
    : Command(app, "recovery", "Drivers that die and come back, sessions that churn.",
              explanation()) {
  add_repetitions("Samples of each row", 10);
  add_choices();
  add_json();
  options()
      .add_option("--images", images_,
                  "Where vmlinuz and driver-initramfs.cpio.gz are; without it no driver VM")
      ->check(CLI::ExistingDirectory);
  add_quick("A smoke test: samples too few to mean anything");
}

int RecoveryCommand::run() const {
  RecoveryPlan plan{.rows = recovery_rows(quick(), images_), .repetitions = repetitions()};
  std::erase_if(plan.rows, [&](const RecoveryRow& row) {
    return !matches(row.workload, workloads()) || !matches(row.system, systems());
  });
  if (plan.rows.empty()) throw std::runtime_error("no workload on no system matches; see --help");
  const std::vector<RecoveryResult> all = measure(plan);
  print_results(
      json(), [&] { return as_tables(plan, all); }, [&] { return as_json(plan, all); });
  return 0;
}

}  // namespace cede::bench
