// SPDX-License-Identifier: Apache-2.0
// Where a driver VM has room for sessions: one empty PCIe root port for each, in the places that
// protocols/ivshmem.h tells the guest of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cede::qemu {

// Functions of the slots 0x10 to 0x1e of a q35 machine's root bus; QEMU places what else there is
// below them.
inline constexpr unsigned kMaxSessionPorts = 120;

// QEMU's name of a port.
[[nodiscard]] std::string session_port(unsigned index);

// The arguments for `ports` of them, each with address space for one region of up to
// `largest_region` bytes, a power of two: firmware reserves it at boot, and a larger region would
// get no address later. All above 4 GiB, if there are three ports or more.
[[nodiscard]] std::vector<std::string> session_port_arguments(unsigned ports,
                                                              std::uint64_t largest_region);

}  // namespace cede::qemu
