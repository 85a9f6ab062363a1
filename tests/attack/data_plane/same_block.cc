// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  storm_with_requests(client, disk.geometry.slots, [&](std::uint32_t i) {
    return disk.request(i % 4 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i % 16, 8192, i % 3);
  });
}

const Entry entry{
    {.name = "same-block",
     .family = "data-plane",
     .source = "locks of a file system beneath a disk image",
     .does = "writes and reads the same blocks, overlapping, with every slot of its ring",
     .holds = "what waits for it is its own",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
