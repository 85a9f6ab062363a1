// SPDX-License-Identifier: Apache-2.0
// What a process costs while it does nothing, as the kernel counts it.
#pragma once

#include <sys/types.h>

namespace cede::bench {

// Memory in KiB. 0 where we may not look, or nobody is there any more.
struct ProcessMemory {
  double resident = 0;      // of any kind, shared or not
  double proportional = 0;  // a page that n processes have counts 1/n
  double own = 0;  // resident without shared memory, which is the sessions', and page tables
};
[[nodiscard]] ProcessMemory memory_of(pid_t pid);

// How often its threads have given a processor up, or were made to: one that sleeps all the time
// has none. The kernel's io_uring workers are threads of its.
[[nodiscard]] double context_switches(pid_t pid);

}  // namespace cede::bench
