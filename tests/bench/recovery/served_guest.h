// SPDX-License-Identifier: Apache-2.0
// A guest's driver that reads from a disk, while the disk's driver domain is killed or restarted:
// what is measured is what a guest would see.
#pragma once

#include <chrono>

#include "tests/bench/driver_kind.h"
#include "tests/bench/running_system.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/vhost_user_client.h"

namespace cede::bench {

// Everything throws std::runtime_error.
class ServedGuest {
 public:
  using Duration = std::chrono::steady_clock::duration;

  explicit ServedGuest(const DriverKind& kind);

  // One read by the guest, from its submission to its answer.
  [[nodiscard]] Duration read();
  // kill -9; returns when the process is dead.
  void kill_driver();
  // Begins a planned restart of the driver.
  void begin_restart();
  [[nodiscard]] bool restarting();

 private:
  test::TemporaryDirectory directory_;
  RunningSystem system_;
  test::VhostUserClient guest_;
};

}  // namespace cede::bench
