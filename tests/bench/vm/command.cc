// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/vm/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <stdexcept>

#include "tests/bench/blk/report.h"
#include "tests/bench/driver_kind.h"
#include "tests/bench/net/report.h"
#include "tests/bench/selection.h"
#include "tests/bench/vm/systems.h"

namespace cede::bench {
namespace {

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
    : Command(app, "vm", "Driver VMs beside driver processes, for disk and network.",
              explanation()) {
  options()
      .add_option("--images", images_, "Where vmlinuz and driver-initramfs.cpio.gz are")
      ->check(CLI::ExistingDirectory)
      ->required();
  add_seconds("Length of one sample", {.least = 0.1, .quick = 0.2});
  add_repetitions("Samples of each system and workload", 5);
  add_choices();
  add_json();
  add_quick("A smoke test: samples too short to mean anything");
}

Plan VmCommand::block_plan() const {
  const std::vector<SystemKind> all = disks(driver_kinds(images_));
  Plan plan{.workloads = chosen_of(block_workloads(), workloads()),
            .systems = select<SystemKind>(all, systems(), "system"),
            .image_bytes = kImageBytes,
            .duration = duration(),
            .repetitions = repetitions()};
  if (quick()) plan.attempts = 1;
  return plan;
}

NetPlan VmCommand::net_plan() const {
  return {.workloads = chosen_of(switch_workloads(driver_kinds(images_)), workloads()),
          .systems = systems(),
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
      json(),
      [&] {
        return (disks.empty() ? "" : as_tables(block, disks)) +
               (switches.empty() ? "" : as_tables(net, switches));
      },
      [&] {
        return fmt::format("{{\"block\": {}, \"net\": {}}}\n", as_json(block, disks),
                           as_json(net, switches));
      });
  return exit_status(failed_operations(disks) + failed_operations(switches), "operations failed");
}

}  // namespace cede::bench
