// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/runaway_port.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  run_away(client.port(), net::transmit_ring(0));
  (void)client.await_cut_off(client.port_session());
}

const Entry entry{{.name = "runaway-transmit",
                   .family = "rings",
                   .source = "XSA-39, CVE-2013-0216: netback, 'ring contains garbage'",
                   .does = "publishes two thousand million frames at once",
                   .holds = "the switch ends that session after one look; nobody else notices",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
