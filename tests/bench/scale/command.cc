// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/command.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include "protocols/stats.h"
#include "tests/bench/scale/fleet.h"
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
    : app_(app.add_subcommand("scale", "From one session on a driver to 256, idle and active.")) {
  app_->footer(kExplanation);
  app_->add_option("--sessions", sessions_, "How many at a time (and then this many,...)")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, kMaxDevices));
  app_->add_option("--depth", depth_, "Reads that each client keeps in flight")
      ->check(CLI::Range(1U, kFleetSlots))
      ->capture_default_str();
  app_->add_option("--seconds", seconds_, "How long they are idle, and then active")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app_->add_option("--repetitions", repetitions_, "Samples of each number of sessions")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_json(*app_, json_);
  app_->add_flag("--quick", quick_, "A smoke test: few and many sessions, for too short a time");
}

bool ScaleCommand::chosen() const {
  return app_->parsed();
}

int ScaleCommand::run() const {
  raise_open_files();
  ScalePlan plan{.sessions = sessions_,
                 .depth = depth_,
                 .duration = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds_ * 1e9)),
                 .repetitions = repetitions_};
  if (quick_) {
    plan.sessions = {sessions_.front(), sessions_.back()};
    plan.duration = std::chrono::milliseconds(100);
    plan.repetitions = 1;
  }
  const std::vector<ScaleStep> all = measure(plan);
  print_results(
      json_, [&] { return as_tables(plan, all); }, [&] { return as_json(plan, all); });
  const std::uint64_t failed = failed_operations(all);
  if (failed != 0) fmt::print(stderr, "cede-bench: {} operations failed\n", failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace cede::bench
