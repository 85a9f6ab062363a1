// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"
#include "tests/attack/master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  storm_with_erasures(client, VIRTIO_BLK_T_WRITE_ZEROES);
}

void run_on_vhost_user(Master& master) {
  while (true) master.go_on(VIRTIO_BLK_T_WRITE_ZEROES, 16U << 20, Master::kMost);
}

const Entry entry{{.name = "zero-storm",
                   .family = "data-plane",
                   .source = "write-same amplification: few bytes asked, many written",
                   .does = "has its volume zeroed over and over, with every slot of its ring",
                   .holds = "what is written costs its sender, and the victim keeps its share",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user}};

}  // namespace
}  // namespace cede::attack
