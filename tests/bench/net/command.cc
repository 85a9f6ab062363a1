// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/net/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/bench/net/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

constexpr double kQuickSeconds = 0.2;

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
    : app_(app.add_subcommand("net", "Network ports: Cede, a bridge, vde_switch, DPDK's vhost.")) {
  app_->footer(explanation());
  app_->add_option("--seconds", seconds_, "Length of one sample")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app_->add_option("--repetitions", repetitions_, "Samples of each system and workload")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_choices(*app_, workloads_, systems_, json_);
  app_->add_flag("--quick", quick_, "A smoke test: samples too short to mean anything");
}

bool NetCommand::chosen() const {
  return app_->parsed();
}

NetPlan NetCommand::plan() const {
  const std::vector<NetWorkload> all = net_workloads();
  return {.workloads = select<NetWorkload>(all, workloads_, "workload"),
          .systems = systems_,
          .duration = std::chrono::nanoseconds(
              static_cast<std::int64_t>((quick_ ? kQuickSeconds : seconds_) * 1e9)),
          .repetitions = quick_ ? 1 : repetitions_};
}

int NetCommand::run() const {
  const NetPlan chosen = plan();
  const std::vector<NetResult> all = measure(chosen);
  print_results(
      json_, [&] { return as_tables(chosen, all); }, [&] { return as_json(chosen, all); });
  const std::uint64_t failed = failed_operations(all);
  if (failed != 0) fmt::print(stderr, "cede-bench: {} operations failed\n", failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace cede::bench
