// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/session_ports.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocols/ivshmem.h"

namespace cede::qemu {
namespace {

constexpr std::uint64_t kMiB = 1UL << 20;
// With three ports or more, so much that firmware has to put the windows above 4 GiB. Below, memory
// is not cached (MTRR), whatever a guest's driver asks for.
constexpr std::uint64_t kLeastReserve = 512 * kMiB;

}  // namespace

std::string session_port(unsigned index) {
  return fmt::format("session-port{}", index);
}

std::vector<std::string> session_port_arguments(unsigned ports, std::uint64_t largest_region) {
  // A window begins at any MiB, and a region at a multiple of its size: twice as much has room.
  const std::uint64_t reserve = std::max(2 * largest_region, kLeastReserve) / kMiB;
  std::vector<std::string> arguments;
  for (unsigned i = 0; i < std::min(ports, kMaxSessionPorts); ++i) {
    const unsigned function = i % kPortsPerSlot;
    arguments.emplace_back("-device");
    // No I/O ports: there are 64 KiB of them for all, and ivshmem uses none.
    arguments.push_back(
        fmt::format("pcie-root-port,id={},bus=pcie.0,addr={:x}.{:x}{},chassis={},slot={},"
                    "pref64-reserve={}M,io-reserve=0",
                    session_port(i), kFirstPortSlot + i / kPortsPerSlot, function,
                    function == 0 ? ",multifunction=on" : "", i + 1, i, reserve));
  }
  return arguments;
}

}  // namespace cede::qemu
