// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <array>
#include <stdexcept>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Disk& disk = client.disk();
  void* const readable =
      ::mmap(nullptr, disk.memory.size(), PROT_READ, MAP_SHARED, disk.region.get(), 0);
  if (readable == MAP_FAILED) throw std::runtime_error("no mapping to read by");
  const std::size_t size = disk.memory.size();
  besiege(
      client,
      std::array{
          Attempt{"MADV_REMOVE by the mapping",
                  [&] { return ::madvise(disk.memory.data(), size, MADV_REMOVE); }},
          Attempt{"MADV_REMOVE of the second half",
                  [&] { return ::madvise(disk.memory.data() + size / 2, size / 2, MADV_REMOVE); }},
          Attempt{"MADV_REMOVE by a mapping that only reads",
                  [&] { return ::madvise(readable, size, MADV_REMOVE); }},
      });
}

const Entry entry{{.name = "madvise-remove",
                   .family = "revocation",
                   .source = "madvise(2): MADV_REMOVE punches holes by a mapping",
                   .does = "takes pages out of the region by its mapping, and by a read-only one",
                   .holds = "the kernel refuses",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
