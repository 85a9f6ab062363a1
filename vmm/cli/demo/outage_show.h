// SPDX-License-Identifier: Apache-2.0
// What the demo shows of a driver's death: two guests that write, a kill -9 in the middle, the
// pause, the return, and that nothing is missing.
#pragma once

#include <array>
#include <string>

#include "vmm/cli/demo/stage.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::cli {

class OutageShow {
 public:
  struct Guest {
    std::string name;
    qemu::GuestVm& vm;
  };

  // Both guests have an ext4 file system on /dev/vda, not mounted, that `driver` of the system
  // serves.
  OutageShow(Stage& stage, std::string system, std::string driver, std::array<Guest, 2> guests);

  // True: everything that was claimed on the way held.
  bool run();

 private:
  using Counts = std::array<int, 2>;  // files that each guest has written and synced

  bool begin_writing();
  bool kill_driver();
  bool watch_return(const Counts& at_kill);
  bool end_writing();
  bool verify();

  [[nodiscard]] Counts written();
  [[nodiscard]] std::string progress(const Counts& counts) const;
  // "running", "booting", "stopped".
  [[nodiscard]] std::string driver_state() const;
  bool in(const Guest& guest, const std::string& command);

  Stage& stage_;
  std::string system_;
  std::string driver_;
  std::array<Guest, 2> guests_;
  std::string output_;  // of the last command
};

}  // namespace cede::cli
