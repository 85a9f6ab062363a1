// SPDX-License-Identifier: Apache-2.0
// Does a well-formed description make sense? Looks at nothing but the description.
#pragma once

#include "vmm/supervisor/description.h"

namespace cede::supervisor {

// Drivers and clients together. The broker's table has some room above it, for the dead ones whose
// pages are on their way home.
inline constexpr std::size_t kMaxDomains = 96;

// Appends a problem for each thing that cannot work: names and sockets used twice, drivers and
// volumes that do not exist, writable volumes that overlap, a volume with two writers, accounts and
// budgets that do not cover what is taken from them, regions that cannot carry their rings.
// `warnings` are what works, and may surprise: somebody reads what somebody else writes.
void check_system(const System& system, Problems& problems, Problems& warnings);

}  // namespace cede::supervisor
