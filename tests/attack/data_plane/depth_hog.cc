// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"
#include "tests/attack/master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  storm_with_requests(client, disk.geometry.slots, [&](std::uint32_t i) {
    return disk.request(VIRTIO_BLK_T_IN, i % (disk.info.sectors / 8) * 8, 4096, i % 128);
  });
}

void run_on_vhost_user(Master& master) {
  while (true) master.read_on(Master::kMost);
}

const Entry entry{{.name = "depth-hog",
                   .family = "data-plane",
                   .source = "the queue of a disk that all share: who has most in it gets most",
                   .does = "keeps every slot of its ring full of small reads",
                   .holds = "the victim, with eight in flight, keeps its share",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user}};

}  // namespace
}  // namespace cede::attack
