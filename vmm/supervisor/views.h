// SPDX-License-Identifier: Apache-2.0
// A running system as JSON, for `cede ls` and `cede top` and for other programs. The shapes are
// documented in cede(1).
#pragma once

#include <boost/json/fwd.hpp>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {

// Domains, sessions, and totals that balance. Names are the description's; nothing that a domain
// says of itself appears, but for the client's audit.
[[nodiscard]] boost::json::object ledger_view(Machine& machine);

// Each device's counters since its driver's current life began. "latency" lists the buckets that
// are not empty, as pairs of a lower edge in nanoseconds and a count.
[[nodiscard]] boost::json::object stats_view(Machine& machine);

// The arguments that attach a QEMU of the user's own.
[[nodiscard]] boost::json::object qemu_view(const Machine& machine, std::string_view client);

}  // namespace cede::supervisor
