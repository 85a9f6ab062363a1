// SPDX-License-Identifier: Apache-2.0
// What a driver VM is started with, worked out from the description alone: the host shim, QEMU, and
// the driver in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "vmm/qemu/accelerator.h"
#include "vmm/supervisor/description.h"

namespace cede::supervisor {

// Where sessions can be at one time: each device has room for its new session while the one of a
// client's last life is still on its way out.
[[nodiscard]] unsigned driver_vm_ports(const System& system, std::size_t driver);

// The numbers of descriptors, as the program inherits them.
struct ShimDescriptors {
  int bells = -1;
  int monitor = -1;
  int sessions = -1;
  int stats = -1;
  int ready = -1;
};
[[nodiscard]] std::vector<std::string> shim_arguments(const std::filesystem::path& program,
                                                      unsigned ports, const ShimDescriptors& fds);

struct QemuDescriptors {
  int kernel = -1;
  int initrd = -1;
  int bells = -1;
  int monitor = -1;
  int sessions = -1;
  int console = -1;
  int disk = -1;    // a block driver's
  int uplink = -1;  // a switch's TAP
};
struct DriverVmFacts {
  QemuDescriptors fds;
  bool disk_is_block_device = false;
  std::uint64_t mtu = kDefaultMtu;  // a switch's
  qemu::Accelerator accelerator = qemu::Accelerator::Tcg;
};
// The whole command line, the program first. The driver has a VM.
[[nodiscard]] std::vector<std::string> driver_vm_arguments(const System& system, std::size_t driver,
                                                           const DriverVmFacts& facts);

// What the driver in the VM is started with, one argument a line, the program's name first. The
// guest adds what it alone knows: that it is in a VM, and its disk.
[[nodiscard]] std::string guest_command(const System& system, std::size_t driver,
                                        std::uint64_t mtu);

}  // namespace cede::supervisor
