// SPDX-License-Identifier: Apache-2.0
// Does the network part of a description make sense? A part of checks.h, of a file of its own.
#pragma once

#include "vmm/supervisor/description.h"

namespace cede::supervisor {

// Appends what is wrong with the switches, their uplinks and the clients' ports. Whether the
// interfaces agree is for interfaces.h.
void check_ports(const System& system, Problems& problems);

}  // namespace cede::supervisor
