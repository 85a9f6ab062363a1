// SPDX-License-Identifier: Apache-2.0
// Pages that nobody has any more, and that the kernel still counts.
//
// A page that was just used may wait in a batch of its processor's (mm/swap.c in Linux) to be put
// on a list. It stays charged there, free of users, until the batch is full: on an idle machine for
// as long as that is idle (seen: 45 s). Who waits for a charge to fall to zero has the batches
// emptied.
//
// Any request to move pages does that for all processors before it looks at what to move
// (lru_cache_disable(), lru_add_drain_all() before Linux 5.13). This one names no page, needs no
// privilege, and takes a tenth of a millisecond. A kernel without it (CONFIG_MIGRATION) refuses,
// and the wait is as long as it was.
#pragma once

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

namespace cede {

class PageBatches {
 public:
  // Empties them, unless that was done a moment ago: it interrupts every processor.
  void empty() noexcept {
    const auto now = Clock::now();
    if (now < again_) return;
    again_ = now + std::chrono::milliseconds(20);
    const int place = 0;
    ::syscall(SYS_move_pages, 0, 0UL, nullptr, &place, nullptr, MPOL_MF_MOVE);
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point again_{};
};

}  // namespace cede
