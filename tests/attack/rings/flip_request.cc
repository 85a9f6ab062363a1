// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <functional>
#include <thread>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/own_volume.h"
#include "tests/attack/rings/shared_field.h"

namespace cede::attack {
namespace {

constexpr std::uint32_t kBatch = 64;

// Each slot in turn, from what is right to what reaches the victim's volume, and back. Extents stay
// in the payload: that is flip-extent's.
[[noreturn]] void flip(Disk& disk) {
  const std::uint64_t beyond[] = {wrapping_sector(disk), disk.info.sectors};
  for (std::uint32_t round = 0;; ++round) {
    for (std::uint32_t slot = 0; slot < disk.geometry.slots; ++slot) {
      std::byte* const request = disk.slot(slot);
      const bool wrong = (round + slot) % 2 != 0;
      set<std::uint16_t>(request + offsetof(block::Request, type),
                         round % 3 == 0 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
      set<std::uint64_t>(request + offsetof(block::Request, sector),
                         wrong ? beyond[round / 2 % 2] : slot * 8);
      set<std::uint32_t>(request + offsetof(block::Request, length), wrong ? 8192 : 4096);
    }
  }
}

void run(Client& client) {
  Disk& disk = client.disk();
  mark_own_volume(disk);
  std::thread(flip, std::ref(disk)).detach();
  while (true) {
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      disk.ring.put(disk.request(VIRTIO_BLK_T_IN, i * 8, 4096, i));
    }
    disk.publish();
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      if (!disk.answer()) return client.stage().broke("a request is not answered");
    }
    if (has_foreign_bytes(disk.payload().first((kBatch + 1) * 4096))) {
      return client.stage().broke("the victim's data are in the attacker's pages");
    }
  }
}

const Entry entry{
    {.name = "flip-request",
     .family = "rings",
     .source = "XSA-155, CVE-2015-8550",
     .does = "rewrites type, length and sector of published requests while the driver takes them",
     .holds = "each request is judged and done as one copy: only the attacker's own volume is read "
              "and written",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
