// SPDX-License-Identifier: Apache-2.0
// One measurement of one system: what it carried in a stretch of time, and what that cost.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/machine.h"
#include "tests/bench/server_process.h"

namespace cede::bench {

struct NetSample {
  double rate = 0;  // in the workload's unit, a second
  double p50 = 0;   // microseconds, where the workload measures time
  double p99 = 0;
  std::uint64_t errors = 0;
  struct Use {
    std::string role;
    double seconds = 0;  // of processor time, in the whole sample
  };
  // This process first ("load"), the servers, what else the machine did ("rest": the kernel's own
  // threads and interrupts, and whatever is none of ours).
  std::vector<Use> uses;
  double seconds = 0;
  double round_trip = 0;  // of a cache line, just before; nanoseconds

  [[nodiscard]] double processor_seconds() const noexcept {
    double sum = 0;
    for (const Use& use : uses) sum += use.seconds;
    return sum;
  }
};

// Clocks read at the beginning and at the end of the stretch.
class Meter {
 public:
  explicit Meter(std::vector<ServerProcess> servers) : processes_(std::move(servers)) {
    processes_.insert(processes_.begin(), ServerProcess{"load", ::getpid()});
  }
  void begin() { before_ = read(); }
  void end(NetSample& sample) const {
    const Clocks after = read();
    const std::chrono::duration<double> took = after.now - before_.now;
    sample.seconds = took.count();
    double ours = 0;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      const double used = after.processes[i] - before_.processes[i];
      ours += used;
      sample.uses.push_back({processes_[i].role, used});
    }
    sample.uses.push_back({"rest", std::max(0.0, after.machine - before_.machine - ours)});
  }

 private:
  struct Clocks {
    std::chrono::steady_clock::time_point now;
    double machine = 0;
    std::vector<double> processes;
  };
  [[nodiscard]] Clocks read() const {
    Clocks clocks{std::chrono::steady_clock::now(), machine_seconds(), {}};
    for (const ServerProcess& process : processes_) {
      clocks.processes.push_back(process_seconds(process.pid));
    }
    return clocks;
  }

  std::vector<ServerProcess> processes_;
  Clocks before_;
};

}  // namespace cede::bench
