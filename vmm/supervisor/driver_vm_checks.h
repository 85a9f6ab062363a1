// SPDX-License-Identifier: Apache-2.0
// Does this machine have what a description's driver VMs need?
#pragma once

#include "vmm/supervisor/description.h"

namespace cede::supervisor {

// Appends a problem for each kernel or initrd that cannot be read, and for each PCI device that
// cannot be given away.
void check_driver_vms(const System& system, Problems& problems);

}  // namespace cede::supervisor
