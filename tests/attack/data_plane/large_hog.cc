// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"
#include "tests/attack/master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  const std::uint32_t bytes = disk.info.max_transfer;
  const std::uint64_t sectors = bytes / block::kSectorBytes;
  storm_with_requests(client, disk.geometry.slots, [&](std::uint32_t i) {
    return disk.request(i % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
                        i % (disk.info.sectors / sectors) * sectors, bytes);
  });
}

void run_on_vhost_user(Master& master) {
  while (true) master.go_on(VIRTIO_BLK_T_IN, Master::kLargest, Master::kMost);
}

const Entry entry{
    {.name = "large-hog",
     .family = "data-plane",
     .source = "round robin by requests is not by bytes",
     .does = "keeps every slot of its ring full of the longest transfers that there are",
     .holds = "the victim, with 4 KiB at a time, keeps its share",
     .run = &run,
     .on_vhost_user = &run_on_vhost_user}};

}  // namespace
}  // namespace cede::attack
