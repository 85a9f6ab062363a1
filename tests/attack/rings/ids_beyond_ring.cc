// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/sessions.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  break_sessions(client, [](Disk& disk, std::uint64_t round) {
    block::Request request = disk.request(VIRTIO_BLK_T_IN, 0);
    request.id = round % 2 == 0 ? disk.geometry.slots : UINT32_MAX;
    disk.submit(request);
  });
}

const Entry entry{{.name = "ids-beyond-ring",
                   .family = "rings",
                   .source = "XSA-376 turned round: ids of the peer taken as indices",
                   .does = "gives its requests ids for which the ring has no slots",
                   .holds = "the driver ends each such session, and writes into no table by it",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
