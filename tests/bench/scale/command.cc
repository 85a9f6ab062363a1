// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/command.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include "protocols/stats.h"
#include "tests/bench/scale/fleet.h"
#include "tests/bench/scale/measurement.h"
#include "tests/bench/scale/report.h"
#include "tests/bench/selection.h"

namespace cede::bench {
namespace {

constexpr const char* kExplanation =
    "A broker and a driver serve an image in memory to so many clients, each with a session and\n"
    "a volume of its own. All clients are this process, on one thread, so that they are as fair\n"
    "to each other as the driver is to them. They connect, all at once; do nothing, while broker\n"
    "and driver are watched; then keep the same number of random reads in flight. Everything is\n"
    "started anew for each sample. The exit status tells of failures only, never of speed.\n\n"
    "Jain's index of fairness is 1 where all sessions get the same, and 1/n where one of n gets\n"
    "everything. PSS counts a page that driver and client share as half of one.\n\n"
    "First, under each memory policy: whom the kernel charges for idle sessions, and what is left\n"
    "of that when the clients have taken back what they can without closing.\n\n"
    "Examples:\n"
    "  cede-bench scale                                     everything, two minutes\n"
    "  cede-bench scale --sessions 1,256 --depth 1          few and many, light work\n"
    "  cede-bench scale --quick                             does everything work at all?\n"
    "  cede-bench scale --json -                            for a machine to read\n";

// Each session takes three descriptors of the client's.
void raise_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

ScaleCommand::ScaleCommand(CLI::App& app)
    : Command(app, "scale", "From one session on a driver to 256, idle and active.", kExplanation) {
  options()
      .add_option("--sessions", sessions_, "How many at a time (and then this many,...)")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kMaxDevices));
  options()
      .add_option("--depth", depth_, "Reads that each client keeps in flight")
      ->check(CLI::Range(1U, kFleetSlots))
      ->capture_default_str();
  add_seconds("How long they are idle, and then active", {.least = 0.01, .quick = 0.1});
  add_repetitions("Samples of each number of sessions", 3);
  add_json();
  add_quick("A smoke test: few and many sessions, for too short a time");
}

int ScaleCommand::run() const {
  raise_open_files();
  ScalePlan plan{
      .sessions = sessions_, .depth = depth_, .duration = duration(), .repetitions = repetitions()};
  if (quick()) plan.sessions = {sessions_.front(), sessions_.back()};
  const std::vector<IdleMemory> idle = measure_idle_memory();
  const std::vector<ScaleStep> all = measure(plan);
  print_results(
      json(), [&] { return as_tables(plan, all, idle); }, [&] { return as_json(plan, all, idle); });
  return exit_status(failed_operations(all), "operations failed");
}

}  // namespace cede::bench
