// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/master.h"

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

const Entry entry{{.name = "runaway-producer",
                   .family = "rings",
                   .source = "XSA-39, CVE-2013-0216: netback, 'ring contains garbage'",
                   .does = "publishes two thousand million requests at once",
                   .holds = "the driver ends that session after one look; nobody else notices",
                   .fate = Fate::CutOff,
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user}};

}  // namespace
}  // namespace cede::attack
