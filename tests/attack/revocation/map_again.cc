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
  const std::size_t size = disk.memory.size();
  const int region = disk.region.get();
  const auto map = [=](int protection, int flags) {
    return ::mmap(nullptr, size, protection, flags, region, 0);
  };
  void* const readable = map(PROT_READ, MAP_SHARED);
  if (readable == MAP_FAILED) throw std::runtime_error("no mapping to read by");
  const auto writable = [=](int flags) {
    return [=] { return reinterpret_cast<long>(map(PROT_READ | PROT_WRITE, flags)); };
  };
  besiege(client,
          std::array{
              Attempt{"a second writable mapping", writable(MAP_SHARED)},
              Attempt{"a second writable mapping, validated", writable(MAP_SHARED_VALIDATE)},
              Attempt{"a read-only mapping that becomes writable",
                      [=] { return ::mprotect(readable, size, PROT_READ | PROT_WRITE); }},
              Attempt{"a code mapping that becomes writable",
                      [=] { return ::mprotect(readable, size, PROT_WRITE | PROT_EXEC); }},
              // It makes a mapping anew, from a file that forbids it.
              Attempt{"pages of the mapping change places",
                      [&] {
                        return ::remap_file_pages(disk.memory.data(), kPageBytes, 0,
                                                  size / kPageBytes / 2, 0);
                      }},
          });
}

const Entry entry{
    {.name = "map-again",
     .family = "revocation",
     .source = "linux: remap_file_pages and mprotect on sealed memfds, 6.18",
     .does = "makes new writable mappings of a region that has its own already",
     .holds = "the kernel refuses each; the one that was made before the seal works on",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
