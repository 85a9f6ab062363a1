// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/hold_on.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  while (disk.ring.free_slots() > 0) {
    disk.ring.put(disk.request(VIRTIO_BLK_T_IN, 0, kPageBytes, disk.ring.in_flight()));
  }
  disk.publish();
  (void)client.broker().request(MessageType::Close, disk.session);
  (void)client.broker().request(MessageType::Release, disk.session);
  hold_on(client);
}

const Entry entry{{.name = "release-early",
                   .family = "exhaustion",
                   .source = "use after free: pages that go home on their user's word",
                   .does = "says Release with requests in flight, and maps and writes on",
                   .holds = "its word is not believed: nobody gets the pages before the proof",
                   .fate = Fate::Either,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
