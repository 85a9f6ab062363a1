// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <stdexcept>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Mapping& memory = client.disk().memory;
  const std::size_t size = memory.size();
  Siege siege(client);
  do {
    siege.begin();
    // Nothing of it by which the client could reach the region is left, for a moment.
    (void)::mprotect(memory.data(), size, PROT_NONE);
    (void)::mprotect(memory.data(), size, PROT_READ | PROT_WRITE);
    (void)::madvise(memory.data(), size, MADV_DONTNEED);
    // A second mapping, which the seal permits: copied from one that there is, not made of the
    // file.
    void* const copy = ::mremap(memory.data(), 0, size, MREMAP_MAYMOVE);
    if (copy == MAP_FAILED) throw std::runtime_error("the mapping cannot be copied");
    (void)::madvise(copy, size, MADV_DONTNEED);
    (void)::mremap(copy, size, size / 2, 0);
    (void)::mmap(copy, size / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                 -1, 0);
    (void)::munmap(copy, size / 2);
  } while (siege.holds());
}

const Entry entry{{.name = "remap-own",
                   .family = "revocation",
                   .source = "gntdev: a mapping that changes under I/O",
                   .does = "protects, drops, copies, cuts and unmaps its own mappings in mid-I/O",
                   .holds = "its mappings are its own affair: the driver's are others",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
