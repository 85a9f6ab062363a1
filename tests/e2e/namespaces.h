// SPDX-License-Identifier: Apache-2.0
// Network namespaces that are clients of a switch by TAP, for the end-to-end tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocols/stats.h"
#include "tests/e2e/running_system.h"
#include "vmm/cli/demo/stage.h"

namespace cede::test {

// `ip netns add`; deleted with the object, and so is every process and interface in it.
class Namespace {
 public:
  explicit Namespace(std::string name);
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  ~Namespace();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const { return "/run/netns/" + name_; }
  // Runs a shell command inside. `run` expects it to exit with 0 and returns its output.
  [[nodiscard]] cli::ToolResult try_run(const std::string& command) const;
  std::string run(const std::string& command) const;

 private:
  std::string name_;
};

// A shell command on the host; expects it to exit with 0 and returns its output.
std::string run_on_host(const std::string& command);

// Two namespaces, alice's and bob's, on the switch "sw0", at 10.78.0.2 and 10.78.0.3.
class TwoNamespaces : public ::testing::Test {
 protected:
  static constexpr const char* kAlice = "10.78.0.2";
  static constexpr const char* kBob = "10.78.0.3";
  static constexpr const char* kHost = "10.78.0.1";
  static constexpr const char* kTap = "cede-e2e-n";  // of the uplink

  // Starts the system. `driver` are lines for the switch, `alice` and `bob` for their devices.
  void up(const std::string& driver, const std::string& alice = "", const std::string& bob = "");
  // With the host at kHost.
  void up_with_tap(const std::string& driver = "");
  // A look at the interfaces of all namespaces and of the host: no TAP of ours is there.
  void expect_no_taps() const;
  void TearDown() override;

  // An echo both ways, soon.
  static void expect_ping(const Namespace& from, const std::string& address);
  static bool pings(const Namespace& from, const std::string& address);
  // iperf3 from one namespace to a server in another; its options. Expects bytes to have arrived.
  static void expect_iperf(const Namespace& client, const Namespace& server,
                           const std::string& address, const std::string& options);
  [[nodiscard]] std::uint64_t drops(const std::string& client, const char* reason) const;

  std::string kind_ = "net";
  std::string for_all_;  // lines for the system as a whole
  RunningSystem system_;
  Namespace alice_{"cede-e2e-alice"};
  Namespace bob_{"cede-e2e-bob"};
};

}  // namespace cede::test
