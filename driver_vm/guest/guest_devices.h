// SPDX-License-Identifier: Apache-2.0
// What a driver VM's driver reaches its sessions by, found and opened: the virtio-serial port, the
// bell device, and memory for regions.
#pragma once

#include <memory>
#include <optional>

#include "driver_vm/session_host/capability.h"
#include "protocols/posix/mapping.h"

namespace cede::driver {

// For a program that is root in a guest whose init has loaded the modules and bound the bell device
// to vfio-pci. Waits, some seconds at most, for the host to open its end of the port. Throws
// SetupError.
[[nodiscard]] std::unique_ptr<Capability> open_guest_capability();

// What the host looks at for counters: BAR 2 of the bell device, cached as regions are. Nothing:
// there is no room for a StatsPage. To be called while the capability is open, which enables the
// device. Throws SetupError.
[[nodiscard]] std::optional<Mapping> map_guest_stats();

}  // namespace cede::driver
