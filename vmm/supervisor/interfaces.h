// SPDX-License-Identifier: Apache-2.0
// The network interfaces of a system, opened by the supervisor and handed to the switches and
// frontends: they serve what they are given, and need no privilege for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/description.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {

// One interface, by the open files that a domain is handed. The supervisor keeps them: when the
// interface goes away, it puts another one behind them, which the domain has no privilege for.
struct OpenInterface {
  std::vector<Fd> fds;  // a TAP's queues, or one packet socket; none: there is no interface
  std::string name;
  std::optional<TapOptions> tap;  // as it was made; nothing: a packet socket on what was there
  Fd netns;                       // empty: the supervisor's own
  bool lost = false;              // when last looked at

  [[nodiscard]] explicit operator bool() const noexcept { return !fds.empty(); }
};

// Of one driver.
struct UplinkInterface {
  OpenInterface interface;  // none: the driver has no uplink, or is no switch
  std::uint64_t mtu = 0;    // the switch's, by the description or by the interface
};

struct Interfaces {
  std::vector<UplinkInterface> uplinks;          // in the order of the drivers
  std::vector<std::vector<OpenInterface>> taps;  // of each client, its devices in their order
};

// Makes the TAPs and opens the uplinks. A TAP ends with its last descriptor, and those of a
// supervisor that was killed a moment ago may not be closed yet: `patience` is how long to wait for
// a name. Appends a problem for each interface that is missing or in use, for an unknown namespace,
// and for a MTU that does not fit.
[[nodiscard]] Interfaces open_interfaces(const System& system, Problems& problems,
                                         std::chrono::milliseconds patience = {});
// Finds the same problems as far as one can by looking, and makes nothing.
void check_interfaces(const System& system, Problems& problems);

// Closes them. Returns once the TAPs of switches are gone, which the kernel may have to wind up
// some io_uring for, or after a while.
void close_interfaces(Interfaces interfaces);

// Looks whether the interface is gone. If so, makes a TAP anew, or takes the interface that has the
// name now. `what` is its name in a line of the log for its loss, and one for its return.
void restore(OpenInterface& interface, std::string_view what);

}  // namespace cede::supervisor
