// SPDX-License-Identifier: Apache-2.0
// How the processes of the data path ask to be scheduled: they work in short bursts, and others
// wait for what they pass on.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace cede {

namespace detail {
// struct sched_attr of linux/sched/types.h, which does not go together with Debian 12's <sched.h>.
struct SchedulingAttributes {
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;  // ns; runtime is the time slice of SCHED_OTHER
  std::uint32_t utilisation_least, utilisation_most;
};
}  // namespace detail

// A time slice of 0.1 ms, the shortest that there is. On Linux 6.12 and later (EEVDF with custom
// slices, sched_setattr(2)) a wake-up then preempts whoever computes in slices of the usual three
// milliseconds; the share of the processor stays what it was. Needs no privilege; an older kernel
// ignores it.
inline void prefer_short_bursts() noexcept {
  detail::SchedulingAttributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) == 0 &&
      attributes.policy == SCHED_OTHER) {
    attributes.runtime = 100'000;
    (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
  }
}

}  // namespace cede
