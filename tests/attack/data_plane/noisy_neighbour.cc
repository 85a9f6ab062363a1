// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/data_plane/disk_storm.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  Random random;
  storm_with_requests(client, 32, [&](std::uint32_t i) {
    return disk.request(i % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
                        random.below(disk.info.sectors / 8) * 8, 4096, i % 32);
  });
}

void run_on_vhost_user(Master& master) {
  while (true) master.read_on(32);
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) master.send_on(32);
}

const Entry entry{{.name = "noisy-neighbour",
                   .family = "data-plane",
                   .source = "the oldest complaint about shared disks",
                   .does = "reads and writes 4 KiB at full rate, 32 at a time",
                   .holds = "the victim keeps its share, and its latency",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
