// SPDX-License-Identifier: Apache-2.0
// One look at a system, over a stretch of time: what its victims had, and what it held itself.
#pragma once

#include <cstddef>
#include <vector>

#include "tests/attack/victims.h"
#include "tests/bench/server_process.h"

namespace cede::attack {

// What a process, or several, hold of the machine.
struct Holdings {
  double memory_kib = 0;  // anonymous: regions are shared memory, and somebody else's
  double cpu_seconds = 0;
  std::size_t descriptors = 0;
};

struct Phase {
  VictimSample victim;
  Holdings drivers;  // disk0 and net0, or the peer
  Holdings broker;
  double seconds = 0;
};

[[nodiscard]] Holdings holdings_of(const std::vector<bench::ServerProcess>& processes);
// The same processes later, with the processor time in between.
[[nodiscard]] Holdings holdings_since(const Holdings& before,
                                      const std::vector<bench::ServerProcess>& processes);

}  // namespace cede::attack
