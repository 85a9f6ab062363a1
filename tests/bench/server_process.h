// SPDX-License-Identifier: Apache-2.0
// A program of a system under test.
#pragma once

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "vmm/process/process.h"

namespace cede::bench {

struct ServerProcess {
  std::string role;
  pid_t pid = 0;
};

// Dropping it kills it; it cannot outlive us in any case.
// The child has `inherited` under the same numbers. What it prints goes beside the progress, and
// never into the results. Throws std::runtime_error.
[[nodiscard]] inline Process start_server(std::vector<std::string> arguments,
                                          std::vector<int> inherited) {
  Launch launch;
  launch.arguments = std::move(arguments);
  launch.inherited = std::move(inherited);
  launch.output = STDERR_FILENO;
  launch.locked_bytes = RLIM_INFINITY;
  return Process::start(launch);
}

[[nodiscard]] inline bool has_ended(const Process& process) noexcept {
  if (!process.running()) return true;
  pollfd ended{process.pidfd(), POLLIN, 0};
  return ::poll(&ended, 1, 0) != 0;
}

}  // namespace cede::bench
