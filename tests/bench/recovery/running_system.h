// SPDX-License-Identifier: Apache-2.0
// A system as `cede up` makes it, one client on one driver, with a guest's driver at the client's
// socket: what is measured is what a guest would see.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/temporary_directory.h"
#include "tests/support/vhost_user_client.h"

namespace cede::bench {

// What a driver domain is: a name for the table, and the lines of the description that make it so.
struct DriverKind {
  std::string name;
  std::string lines;
};
[[nodiscard]] DriverKind process_driver();
// `images`: the directory with the driver VM's kernel and first file system (images/driver).
[[nodiscard]] DriverKind vm_driver(const std::filesystem::path& images);

class RunningSystem {
 public:
  using Duration = std::chrono::steady_clock::duration;

  // Throws std::runtime_error, as everything here.
  explicit RunningSystem(const DriverKind& kind);
  RunningSystem(const RunningSystem&) = delete;
  RunningSystem& operator=(const RunningSystem&) = delete;
  ~RunningSystem();

  // One read by the guest, from its submission to its answer.
  [[nodiscard]] Duration read();
  // kill -9; returns when the process is dead.
  void kill_driver();
  // Begins a planned restart of the driver.
  void begin_restart();
  [[nodiscard]] bool restarting();

 private:
  [[nodiscard]] pid_t driver_pid();

  test::TemporaryDirectory directory_;
  std::optional<test::VhostUserClient> guest_;
};

}  // namespace cede::bench
