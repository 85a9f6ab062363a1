// SPDX-License-Identifier: Apache-2.0
// A system of the real programs for the end-to-end tests: `cede up`, the ledger, kills, `cede
// down`.
#pragma once

#include <sys/types.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "vmm/cli/demo/stage.h"

namespace cede::test {

inline constexpr std::chrono::seconds kPatience{30};
// Of a driver VM, which has to boot first.
inline constexpr std::chrono::seconds kBootPatience{180};

// Whatever fails is a failure of the running test.
class RunningSystem {
 public:
  // Makes a directory, and takes down what an earlier, killed run of this test has left.
  RunningSystem();
  RunningSystem(const RunningSystem&) = delete;
  RunningSystem& operator=(const RunningSystem&) = delete;
  // `cede down`; the directory stays if the test has failed.
  ~RunningSystem();

  // Every test's own, and again the same when it runs again: tests do not meet each other's
  // systems.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::filesystem::path file(const std::string& entry) const {
    return directory_ / entry;
  }

  // `cede up` of a description, which is kept for the next up().
  void describe(const std::string& text) const;
  void up() const;
  [[nodiscard]] cli::ToolResult try_up() const;
  // `cede connect`, which returns when it is.
  void connect(const std::string& client, const std::string& device) const;
  // `cede down`. True: every page came home. A leftover of the system is a failure; `interfaces`
  // are its TAPs.
  bool down(const std::vector<std::string>& interfaces = {}) const;

  // `cede ls --json`, and `cede top`'s counters.
  [[nodiscard]] boost::json::object ledger() const;
  [[nodiscard]] boost::json::object stats() const;
  // The session of a client's device, as in the ledger.
  [[nodiscard]] boost::json::object session(const std::string& client,
                                            const std::string& device) const;
  // SIGKILL to the supervisor; returns when its successor answers.
  void kill_supervisor() const;
  // With it, everything ends but what the test has started.
  void kill_keeper() const;

  [[nodiscard]] boost::json::object domain(const std::string& domain) const;
  // What a domain has printed, or a driver VM's guest: "disk0.console".
  [[nodiscard]] std::string log(const std::string& domain) const;

  // SIGKILL to a domain's process, or to a VM's QEMU ("vm_pid"); expect_whole_again() then waits
  // for its next life.
  void kill_domain(const std::string& domain, const char* process = "pid");
  // A domain is about to end without being killed; likewise.
  void expect_new_life(const std::string& domain);
  // SIGKILL to the broker, with which every domain ends.
  void kill_broker();
  // `cede restart`; what it says.
  [[nodiscard]] boost::json::object restart(const std::string& driver) const;
  // Every killed domain lives again, every session is connected, the books balance.
  void expect_whole_again(std::chrono::seconds patience = kPatience) const;
  void expect_balanced() const;

 private:
  [[nodiscard]] bool is_whole() const;

  std::string name_;
  std::filesystem::path directory_;
  std::map<std::string, std::int64_t> lives_;  // that a killed domain is to have
};

}  // namespace cede::test
