// SPDX-License-Identifier: Apache-2.0
// What the demo shows of the switch: two guests that talk to each other and to the host, and one
// that claims to be somebody else.
#pragma once

#include <string>

#include "vmm/cli/demo/stage.h"
#include "vmm/qemu/guest_vm.h"

namespace cede::cli {

class NetworkShow {
 public:
  static constexpr const char* kUplink = "cede-demo";  // a TAP, where the host is
  static constexpr const char* kHost = "10.77.0.1";

  // A guest on a port of the system's switch.
  struct Guest {
    std::string name;  // the client's
    qemu::GuestVm& vm;
    std::string address;
  };

  NetworkShow(Stage& stage, std::string system, Guest one, Guest other);

  // True: everything that was claimed on the way held.
  bool run();

 private:
  bool give_addresses();
  bool ping();
  bool measure(const std::string& direction, const std::string& option);
  bool forge();

  // Runs a command in a guest; true if it exited with 0. Its output is in output_.
  bool in(const Guest& guest, const std::string& command);
  [[nodiscard]] std::uint64_t spoofed_frames(const Guest& guest) const;

  Stage& stage_;
  std::string system_;
  Guest one_;
  Guest other_;
  std::string output_;
};

}  // namespace cede::cli
