// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <thread>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void scribble(std::byte* ring, Random& random) {
  for (const std::size_t line : {RingShape::kFrontLine, RingShape::kBackLine}) {
    SharedIndex(ring + line + RingShape::kToEvent)
        .store(static_cast<std::uint32_t>(random.next()), std::memory_order_relaxed);
  }
}

void run(Client& client) {
  Disk& disk = client.disk();
  std::thread([&] {
    for (Random random;;) {
      scribble(disk.ring_base(), random);
      for (std::uint16_t ring = 0; ring < 3; ++ring) scribble(client.port().ring_at(ring), random);
      disk.kick.ring();  // neither side knows any more when that is due
      ::usleep(100);
    }
  }).detach();
  const auto read = [&](std::uint32_t i) { return disk.request(VIRTIO_BLK_T_IN, i % 64 * 8); };
  disk.keep_busy(32, read, [] { return false; });
  client.stage().broke("a client whose events are nonsense is answered no more");
}

const Entry entry{
    {.name = "event-games",
     .family = "rings",
     .source = "Xen io/ring.h: event indices are the peer's to write",
     .does = "writes anything into both event indices of all its rings, all the time, under load",
     .holds = "only its own wake-ups suffer",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
