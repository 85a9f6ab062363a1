// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/expect_error.h"
#include "tests/attack/rings/own_volume.h"

namespace cede::attack {
namespace {

constexpr std::uint16_t kTransfers[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT};

void run(Client& client) {
  Disk& disk = client.disk();
  mark_own_volume(disk);
  const std::uint64_t end = disk.info.sectors;
  const std::uint64_t sectors[] = {end - 7,        end,        end + 8,
                                   1ULL << 32,     1ULL << 55, wrapping_sector(disk),
                                   UINT64_MAX - 7, UINT64_MAX};
  while (!has_foreign_bytes(disk.payload().first(4096))) {
    for (const std::uint64_t sector : sectors) {
      for (const std::uint16_t type : kTransfers) {
        if (!expect_error(client, disk.request(type, sector))) return;
      }
      block::Request erase = disk.request(VIRTIO_BLK_T_WRITE_ZEROES, sector);
      erase.offset = 0;
      if (!expect_error(client, erase)) return;
    }
  }
  client.stage().broke("the victim's data are in the attacker's pages");
}

const Entry entry{
    {.name = "wrong-sectors",
     .family = "rings",
     .source = "SBC/virtio: a start and a length whose sum wraps",
     .does = "reads and writes sectors beyond its volume, so that the sum wraps into the victim's",
     .holds = "each is answered with an error; nothing of the victim's is read or written",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
