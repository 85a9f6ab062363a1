// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/random.h"
#include "tests/attack/rings/shared_field.h"

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

// All chains of both queues lead anywhere: round in circles, too, and out of the memory.
void run_on_vhost_user_net(NetMaster& master) {
  using vhost_user::Descriptor;
  for (Random random;; master.begin_anew()) {
    for (const std::uint16_t queue : {NetMaster::kReceive, NetMaster::kTransmit}) {
      std::byte* const ring = master.port().ring(queue).place();
      for (std::size_t i = 0; i < NetMaster::kMost; ++i) {
        const Descriptor any{
            random.among({random.next(), master.payload()}),
            static_cast<std::uint32_t>(random.among({random.next(), UINT64_C(64)})),
            static_cast<std::uint16_t>(random.below(8)),
            static_cast<std::uint16_t>(random.below(NetMaster::kMost + 1))};
        std::memcpy(ring + i * sizeof any, &any, sizeof any);
      }
      set(master.port().ring(queue).available() + vhost_user::ring_layout::kIndex,
          std::uint16_t{NetMaster::kMost});
    }
    master.ring_bells();
    ::usleep(5000);
  }
}

const Entry entry{{.name = "port-slot-fuzz",
                   .family = "rings",
                   .source = "CVE-2018-1059, DPDK vhost: a guest's extents taken unchecked",
                   .does = "publishes random bytes in all slots of its port's three rings",
                   .holds = "the switch ends that session at the first extent outside the payload",
                   .fate = Fate::CutOff,
                   .run = &run,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
