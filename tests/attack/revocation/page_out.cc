// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>

#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace cede::attack {
namespace {

void run(Client& client) {
  const Disk& disk = client.disk();
  const std::size_t size = disk.memory.size();
  Siege siege(client);
  siege.begin();
  client.stage().expect_refused("a page is declared broken",
                                ::madvise(disk.memory.data() + size / 2, 4096, MADV_HWPOISON));
  while (siege.holds()) {
    siege.begin();
    for (const int advice : {MADV_COLD, MADV_PAGEOUT, MADV_FREE, MADV_MERGEABLE, MADV_HUGEPAGE,
                             MADV_COLLAPSE, MADV_NOHUGEPAGE}) {
      (void)::madvise(disk.memory.data(), size, advice);
    }
    (void)::posix_fadvise(disk.region.get(), 0, 0, POSIX_FADV_DONTNEED);
    (void)::mlock2(disk.memory.data(), size, MLOCK_ONFAULT);
    (void)::munlock(disk.memory.data(), size);
  }
}

const Entry entry{
    {.name = "page-out",
     .family = "revocation",
     .source = "madvise(2): MADV_PAGEOUT on shared pages stalls whoever uses them next",
     .does = "has the kernel reclaim, merge, move and unlock its region's pages",
     .holds = "the driver's pages are pinned: it waits for none of them",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
