// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/command.h"

#include <fmt/format.h>

#include "tests/bench/net/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

std::string explanation() {
  std::string text =
      "Two network namespaces are joined by each system, and this process loads them all in the\n"
      "same way; DPDK's testpmd does so where it takes part. The systems take turns. Needs root,\n"
      "and the packages iproute2, vde2 and dpdk-dev for what is compared. The exit status tells "
      "of\n"
      "failures only, never of speed.\n\n"
      "Workloads (--workload) and systems (--system):\n";
  for (const NetWorkload& workload : net_workloads()) {
    text += fmt::format("  {:<9} {}:", workload.name, workload.what);
    for (const NetSystem& system : workload.systems) text += fmt::format(" {}", system.name);
    text += '\n';
  }
  text +=
      "\nExamples:\n"
      "  cede-bench net                                       everything, some two minutes\n"
      "  cede-bench net --workload tcp,udp --system cede,bridge\n"
      "  cede-bench net --quick                               does everything work at all?\n"
      "  cede-bench net --json -                              for a machine to read\n";
  return text;
}

}  // namespace

NetCommand::NetCommand(CLI::App& app)
    : Command(app, "net", "Network ports: Cede, a bridge, vde_switch, DPDK's vhost.",
              explanation()) {
  add_seconds("Length of one sample", {.least = 0.1, .quick = 0.2});
  add_repetitions("Samples of each system and workload", 5);
  add_choices();
  add_json();
  add_quick("A smoke test: samples too short to mean anything");
}

NetPlan NetCommand::plan() const {
  const std::vector<NetWorkload> all = net_workloads();
  return {.workloads = select<NetWorkload>(all, workloads(), "workload"),
          .systems = systems(),
          .duration = duration(),
          .repetitions = repetitions()};
}

int NetCommand::run() const {
  const NetPlan chosen = plan();
  const std::vector<NetResult> all = measure(chosen);
  print_results(
      json(), [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  return exit_status(failed_operations(all), "operations failed");
}

}  // namespace cede::bench
