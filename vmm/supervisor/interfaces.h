// SPDX-License-Identifier: Apache-2.0
// The network interfaces of a system, opened by the supervisor and handed to the switches and
// frontends: they serve what they are given, and need no privilege for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/description.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {

// Of one driver.
struct UplinkInterface {
  Fd fd;                  // empty: the driver has no uplink, or is no switch
  std::uint64_t mtu = 0;  // the switch's, by the description or by the interface
  TapOptions tap;         // what was made, if it is a TAP; else without a name
};

using TapQueues = std::vector<Fd>;  // none: the device is no TAP

struct Interfaces {
  std::vector<UplinkInterface> uplinks;      // in the order of the drivers
  std::vector<std::vector<TapQueues>> taps;  // of each client, its devices in their order
};

// Makes the TAPs and opens the uplinks. A TAP ends with its last descriptor, and those of a
// supervisor that was killed a moment ago may not be closed yet: `patience` is how long to wait for
// a name. Appends a problem for each interface that is missing or in use, for an unknown namespace,
// and for a MTU that does not fit.
[[nodiscard]] Interfaces open_interfaces(const System& system, Problems& problems,
                                         std::chrono::milliseconds patience = {});
// Finds the same problems as far as one can by looking, and makes nothing.
void check_interfaces(const System& system, Problems& problems);

// Makes a TAP that somebody has deleted anew, behind the descriptor that the switch has. True: it
// did, and the switch has to be started again to use it.
[[nodiscard]] bool restore_uplink(const UplinkInterface& uplink);

}  // namespace cede::supervisor
