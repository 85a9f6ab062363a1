// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const Handle grant = client.disk().grant;
  std::unique_ptr<Disk> later;
  while (true) {
    Disk& disk = later ? *later : client.disk();
    while (disk.ring.free_slots() > 0) {
      const std::uint32_t page = disk.ring.in_flight() % 64;
      disk.ring.put(disk.request(page % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, page * 8,
                                 kPageBytes, page));
    }
    disk.publish();
    client.close(disk);
    later = client.connect_disk(grant);
  }
}

const Entry entry{{.name = "connect-churn",
                   .family = "exhaustion",
                   .source = "XSA-350, CVE-2020-29569: a backend under connection storms",
                   .does = "connects and closes as fast as it goes, with requests in flight",
                   .holds = "each session's end is complete, and costs the others nothing lasting",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
