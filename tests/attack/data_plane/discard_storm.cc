// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  storm_with_erasures(client, VIRTIO_BLK_T_DISCARD);
}

const Entry entry{{.name = "discard-storm",
                   .family = "data-plane",
                   .source = "TRIM storms",
                   .does = "discards its volume over and over, with every slot of its ring",
                   .holds = "discards cost their sender, and the victim keeps its share",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
