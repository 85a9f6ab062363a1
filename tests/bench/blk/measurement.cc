// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/measurement.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tests/bench/machine.h"

namespace cede::bench {
namespace {

// Pollers need some time to find their pace, and all but one system have just slept.
constexpr auto kWarmUp = std::chrono::milliseconds(100);

struct Running {
  std::unique_ptr<System> system;
  std::vector<ServerProcess> processes;  // the client first
};

// "driver ended (signal 9)", for each server that is not there any more.
std::string casualties(const Running& running) {
  std::string text;
  for (const ServerProcess& process : running.processes) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != process.pid) {
      continue;
    }
    text += fmt::format("; {} ended ({} {})", process.role,
                        info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
  }
  return text;
}

// A system that does not move the right data is not worth measuring.
std::vector<Running> start_all(const Plan& plan) {
  std::vector<Running> all;
  for (const SystemKind& kind : plan.systems) {
    throw_if_interrupted();
    fmt::print(stderr, "starting {}: {}\n", kind.name, kind.what);
    Running running{nullptr, {{"client", ::getpid()}}};
    try {
      running.system = kind.start(plan.image_bytes);
      for (ServerProcess& server : running.system->servers()) {
        running.processes.push_back(std::move(server));
      }
      running.system->check();
    } catch (const std::exception& error) {
      throw std::runtime_error(
          fmt::format("{}: {}{}", kind.name, error.what(), casualties(running)));
    }
    all.push_back(std::move(running));
  }
  return all;
}

std::vector<double> used_by(const std::vector<ServerProcess>& processes) {
  std::vector<double> seconds;
  seconds.reserve(processes.size());
  for (const ServerProcess& process : processes) seconds.push_back(process_seconds(process.pid));
  return seconds;
}

Measured take_sample(Running& running, const Workload& workload, const Plan& plan) {
  Measured measured;
  measured.round_trip = cache_line_round_trip();
  (void)running.system->run(workload, std::min<std::chrono::nanoseconds>(kWarmUp, plan.duration));

  const double machine_before = machine_seconds();
  const std::vector<double> before = used_by(running.processes);
  const Sample sample = running.system->run(workload, plan.duration);
  const std::vector<double> after = used_by(running.processes);
  const double machine_used = machine_seconds() - machine_before;

  measured.iops = sample.iops();
  measured.megabytes = sample.iops() * workload.bytes / 1e6;
  measured.p50 = sample.percentile(0.5);
  measured.p99 = sample.percentile(0.99);
  measured.errors = sample.errors;
  double ours = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double seconds = after[i] - before[i];
    ours += seconds;
    measured.processes.push_back(
        {running.processes[i].role, seconds * 1e6 / static_cast<double>(sample.operations)});
  }
  measured.others = std::max(0.0, (machine_used - ours) / (sample.seconds * processors()));
  return measured;
}

Measured take_undisturbed_sample(Running& running, const Workload& workload, const Plan& plan) {
  Measured best = take_sample(running, workload, plan);
  unsigned attempts = 1;
  for (; attempts < plan.attempts && best.others > kDisturbed && !interrupted(); ++attempts) {
    Measured again = take_sample(running, workload, plan);
    if (again.others < best.others) best = std::move(again);
  }
  best.attempts = attempts;
  return best;
}

}  // namespace

Measurements measure(const Plan& plan) {
  std::vector<Running> systems = start_all(plan);
  Measurements all(plan.workloads.size());
  for (std::size_t w = 0; w < plan.workloads.size(); ++w) {
    const Workload& workload = plan.workloads[w];
    fmt::print(stderr, "[{}/{}] {}, {} repetitions\n", w + 1, plan.workloads.size(), workload.name,
               plan.repetitions);
    all[w].resize(systems.size());
    for (unsigned repetition = 0; repetition < plan.repetitions; ++repetition) {
      for (std::size_t s = 0; s < systems.size(); ++s) {
        try {
          all[w][s].push_back(take_undisturbed_sample(systems[s], workload, plan));
        } catch (const std::exception& error) {
          throw std::runtime_error(fmt::format("{}, {}: {}{}", plan.systems[s].name, workload.name,
                                               error.what(), casualties(systems[s])));
        }
        throw_if_interrupted();
      }
    }
  }
  return all;
}

}  // namespace cede::bench
