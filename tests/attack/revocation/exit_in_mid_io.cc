// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  const std::uint32_t bytes = std::min(disk.info.max_transfer, 128U << 10);
  const std::uint32_t pages = bytes / kPageBytes;
  while (disk.ring.free_slots() > 0) {
    const std::uint32_t i = disk.ring.in_flight();
    disk.ring.put(disk.request(i % 2 == 0 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
                               std::uint64_t{i} * bytes / block::kSectorBytes, bytes,
                               i % 7 * pages));
  }
  disk.publish();
  ::_exit(0);
}

void run_on_vhost_user(Master& master) {
  for (std::uint32_t i = 0; i < Master::kMost; ++i) master.read_on(Master::kMost);
  ::_exit(0);
}

void run_on_vhost_user_net(NetMaster& master) {
  for (std::uint32_t i = 0; i < NetMaster::kMost; ++i) master.send();
  ::_exit(0);
}

const Entry entry{{.name = "exit-in-mid-io",
                   .family = "revocation",
                   .source = "Xen: a dead granter's pages stay until they are unmapped",
                   .does = "dies while the driver reads and writes all over its region",
                   .holds = "the pages stay until the driver is done with them, and then come home",
                   .fate = Fate::Either,
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
