// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/expect_error.h"

namespace cede::attack {
namespace {

constexpr std::uint16_t kTransfers[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT};

void run(Client& client) {
  Disk& disk = client.disk();
  const std::uint32_t most = disk.info.max_transfer;
  const std::uint32_t lengths[] = {0, 1, 511, 513, 4095, most + 1, most + 512, 2 * most};
  while (true) {
    for (const std::uint16_t type : kTransfers) {
      for (const std::uint32_t length : lengths) {
        if (!expect_error(client, disk.request(type, 0, length))) return;
      }
    }
    block::Request erase = disk.request(VIRTIO_BLK_T_WRITE_ZEROES, 0, UINT32_MAX);
    erase.offset = 0;
    if (!expect_error(client, erase)) return;
    if (!expect_error(client, disk.request(VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES + 1)))
      return;
    if (!expect_error(client, disk.request(VIRTIO_BLK_T_FLUSH, 0, 4096))) return;
  }
}

const Entry entry{
    {.name = "wrong-lengths",
     .family = "rings",
     .source = "virtio 1.2, 5.2.6: transfers are whole sectors, and have a limit",
     .does = "asks for transfers of no bytes, of half a sector, and longer than it was told it may",
     .holds = "each is answered with an error, and the session goes on",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
