// SPDX-License-Identifier: Apache-2.0
// Says in the log what frames a port has lost on the client's side: the driver's counters know only
// what the switch dropped.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/net/net_device.h"

namespace cede::frontend {

class LossReport {
 public:
  // Frames ever lost for one reason.
  struct Count {
    std::uint64_t frames;
    const char* reason;
  };

  // Before a session goes: keeps its own counts.
  void ended(const NetDevice& session) noexcept;

  // One line of what was lost since the last one, by the device or at `session`, which may be
  // nullptr; none where that is nothing. The same reasons in the same order each time.
  void log(const std::string& device, const NetDevice* session, std::vector<Count> counts);

 private:
  std::uint64_t refused_ = 0;  // of sessions that are over
  std::uint64_t unfit_ = 0;
  std::vector<std::uint64_t> said_;
};

}  // namespace cede::frontend
