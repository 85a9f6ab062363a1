// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/sessions.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  break_sessions(client, [](Disk& disk, std::uint64_t) {
    disk.submit(disk.request(VIRTIO_BLK_T_IN, 0));
    (void)disk.answer();
    const SharedIndex producer(disk.ring_base() + RingShape::kFrontLine);
    producer.store(producer.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    disk.kick.ring();
  });
}

const Entry entry{{.name = "producer-backwards",
                   .family = "rings",
                   .source = "Xen io/ring.h: RING_REQUEST_PROD_OVERFLOW, from below",
                   .does = "takes back a request that it has published and that was answered",
                   .holds = "the driver ends that session",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
