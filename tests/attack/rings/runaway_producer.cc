// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"
#include "tests/attack/rings/shared_field.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  SharedIndex req_prod(client.disk().ring_base() + RingShape::kFrontLine);
  req_prod.store(1U << 31, std::memory_order_release);
  client.disk().kick.ring();
  (void)client.await_cut_off();
}

// The head that becomes available is none of the ring's.
void run_on_vhost_user(Master& master) {
  master.disk().make_available(0, UINT16_MAX);
  master.disk().publish(0);
  master.read_on();
}

// Heads that are none of the ring's, and far more than it has room for.
void run_on_vhost_user_net(NetMaster& master) {
  using namespace vhost_user::ring_layout;
  std::byte* const available = master.port().ring(NetMaster::kTransmit).available();
  for (std::size_t i = 0; i < NetMaster::kMost; ++i) {
    set(available + kEntries + kAvailableEntry * i, std::uint16_t{UINT16_MAX});
  }
  set(available + kIndex, std::uint16_t{1U << 15});
  master.ring_bells();
}

const Entry entry{{.name = "runaway-producer",
                   .family = "rings",
                   .source = "XSA-39, CVE-2013-0216: netback, 'ring contains garbage'",
                   .does = "publishes two thousand million requests at once",
                   .holds = "the driver ends that session after one look; nobody else notices",
                   .fate = Fate::CutOff,
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
