// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/vm/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <stdexcept>

#include "tests/bench/blk/report.h"
#include "tests/bench/driver_kind.h"
#include "tests/bench/net/report.h"
#include "tests/bench/selection.h"
#include "tests/bench/vm/systems.h"

namespace cede::bench {
namespace {

constexpr double kQuickSeconds = 0.2;
constexpr std::uint64_t kImageBytes = 64U << 20;

// A request's way is what differs: one at a time, and many that share their bells.
std::vector<Workload> block_workloads() {
  std::vector<Workload> all = standard_workloads();
  std::erase_if(all, [](const Workload& one) { return one.bytes != 4096 || one.depth > 32; });
  return all;
}

std::vector<NetWorkload> switch_workloads(std::span<const DriverKind> kinds) {
  return join_workloads(switches(kinds), "vm");
}

template <class Item>
std::vector<Item> chosen_of(std::vector<Item> all, const std::vector<std::string>& filters) {
  std::erase_if(all, [&](const Item& item) { return !matches(item.name, filters); });
  return all;
}

std::string explanation() {
  std::string text =
      "The same driver in a sandboxed process and in a virtual machine: two systems that\n"
      "`cede up` starts, which take turns. A disk is an image in memory, for a vhost-user-blk\n"
      "client as in `cede-bench blk`; a switch joins two network namespaces by TAPs as in\n"
      "`cede-bench net`. Without KVM the machine is emulated, and the ratio says what that costs.\n"
      "Needs root. The exit status tells of failed operations only, never of speed.\n\n"
      "Systems (--system): process, vm\n"
      "Workloads (--workload):";
  for (const Workload& workload : block_workloads()) text += fmt::format(" {}", workload.name);
  for (const NetWorkload& workload : switch_workloads({})) {
    text += fmt::format(" {}", workload.name);
  }
  text +=
      "\n\nExamples:\n"
      "  cede-bench vm --images build/images                  everything, some two minutes\n"
      "  cede-bench vm --images build/images --workload qd1,ping\n"
      "  cede-bench vm --images build/images --quick          does everything work at all?\n"
      "  cede-bench vm --images build/images --json -         for a machine to read\n";
  return text;
}

}  // namespace

VmCommand::VmCommand(CLI::App& app)
    : app_(app.add_subcommand("vm", "Driver VMs beside driver processes, for disk and network.")) {
  app_->footer(explanation());
  app_->add_option("--images", images_, "Where vmlinuz and driver-initramfs.cpio.gz are")
      ->check(CLI::ExistingDirectory)
      ->required();
  app_->add_option("--seconds", seconds_, "Length of one sample")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app_->add_option("--repetitions", repetitions_, "Samples of each system and workload")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_choices(*app_, workloads_, systems_, json_);
  app_->add_flag("--quick", quick_, "A smoke test: samples too short to mean anything");
}

bool VmCommand::chosen() const {
  return app_->parsed();
}

std::chrono::nanoseconds VmCommand::duration() const {
  const std::chrono::duration<double> seconds(quick_ ? kQuickSeconds : seconds_);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
}

Plan VmCommand::block_plan() const {
  const std::vector<SystemKind> systems = disks(driver_kinds(images_));
  Plan plan{.workloads = chosen_of(block_workloads(), workloads_),
            .systems = select<SystemKind>(systems, systems_, "system"),
            .image_bytes = kImageBytes,
            .duration = duration(),
            .repetitions = repetitions()};
  if (quick_) plan.attempts = 1;
  return plan;
}

NetPlan VmCommand::net_plan() const {
  return {.workloads = chosen_of(switch_workloads(driver_kinds(images_)), workloads_),
          .systems = systems_,
          .duration = duration(),
          .repetitions = repetitions()};
}

int VmCommand::run() const {
  const Plan block = block_plan();
  const NetPlan net = net_plan();
  if (block.workloads.empty() && net.workloads.empty()) {
    throw std::runtime_error("no workload matches; see --help");
  }
  const Measurements disks = block.workloads.empty() ? Measurements{} : measure(block);
  const std::vector<NetResult> switches = measure(net);
  print_results(
      json_,
      [&] {
        return (disks.empty() ? "" : as_tables(block, disks)) +
               (switches.empty() ? "" : as_tables(net, switches));
      },
      [&] {
        return fmt::format("{{\"block\": {}, \"net\": {}}}\n", as_json(block, disks),
                           as_json(net, switches));
      });
  const std::uint64_t failed = failed_operations(disks) + failed_operations(switches);
  if (failed != 0) fmt::print(stderr, "cede-bench: {} operations failed\n", failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace cede::bench
