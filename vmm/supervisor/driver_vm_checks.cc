// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/driver_vm_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "vmm/supervisor/vfio.h"

namespace cede::supervisor {

void check_driver_vms(const System& system, Problems& problems) {
  for (const Driver& driver : system.drivers) {
    if (!driver.vm) continue;
    for (const auto* file : {&driver.vm->machine.kernel, &driver.vm->machine.initrd}) {
      if (::access((*file)->c_str(), R_OK) == 0) continue;
      problems.push_back({file->at,
                          fmt::format("cannot read '{}': {}", (*file)->string(),
                                      std::generic_category().message(errno)),
                          "images/build and images/driver make a kernel and an initrd"});
    }
    if (driver.vm->pci->empty()) continue;
    if (auto problem = vfio_problem(*driver.vm->pci)) {
      problems.push_back({driver.vm->pci.at, std::move(problem->what), std::move(problem->remedy)});
    }
  }
}

}  // namespace cede::supervisor
