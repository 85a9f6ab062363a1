// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"
#include "tests/attack/master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  storm_with_erasures(client, VIRTIO_BLK_T_DISCARD);
}

void run_on_vhost_user(Master& master) {
  while (true) master.go_on(VIRTIO_BLK_T_DISCARD, 16U << 20, Master::kMost);
}

const Entry entry{{.name = "discard-storm",
                   .family = "data-plane",
                   .source = "TRIM storms",
                   .does = "discards its volume over and over, with every slot of its ring",
                   .holds = "discards cost their sender, and the victim keeps its share",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user}};

}  // namespace
}  // namespace cede::attack
