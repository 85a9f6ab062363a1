// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  Random random;
  for (std::uint16_t ring = 0; ring < port.geometry().rings; ++ring) {
    std::byte* const base = port.ring_at(ring);
    for (std::byte* at = base + RingShape::kSlots;
         at != base + port.geometry().ring_shape().bytes(); ++at) {
      *at = static_cast<std::byte>(random.next());
    }
    SharedIndex(base + RingShape::kFrontLine)
        .store(port.geometry().slots, std::memory_order_release);
  }
  port.kick();
  (void)client.await_cut_off(client.port_session());
}

const Entry entry{{.name = "port-slot-fuzz",
                   .family = "rings",
                   .source = "CVE-2018-1059, DPDK vhost: a guest's extents taken unchecked",
                   .does = "publishes random bytes in all slots of its port's three rings",
                   .holds = "the switch ends that session at the first extent outside the payload",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
