// SPDX-License-Identifier: Apache-2.0
// A system as `cede up` makes it, beside those that the user runs and out of their sight.
#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "tests/bench/server_process.h"
#include "tests/support/temporary_directory.h"

namespace cede::bench {

// Until somebody who has to wait for a driver VM gives up: two boots without KVM.
inline constexpr std::chrono::seconds kBootPatience{180};

// Everything throws std::runtime_error.
class RunningSystem {
 public:
  // `name`: of no other that runs; `description`: all but the name.
  RunningSystem(std::string name, const std::string& description);
  RunningSystem(const RunningSystem&) = delete;
  RunningSystem& operator=(const RunningSystem&) = delete;
  ~RunningSystem();

  // Where a client's device is served.
  [[nodiscard]] std::string socket(const std::string& client, const std::string& device) const;
  // All of `cede ls`.
  [[nodiscard]] boost::json::object ledger() const;
  // The domain's row of it.
  [[nodiscard]] boost::json::object domain(const std::string& name) const;
  // What the drivers count, for each device.
  [[nodiscard]] boost::json::object stats() const;
  // Begins a planned restart.
  void begin_restart(const std::string& driver) const;
  // Broker and domains; a driver VM's QEMU is "vm", and the process beside it "shim".
  [[nodiscard]] std::vector<ServerProcess> servers() const;

 private:
  std::string name_;
  test::TemporaryDirectory directory_;
};

}  // namespace cede::bench
