// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/provocation.h"
#include "tests/attack/rings/runaway_port.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  // All slots hold good buffers: it is the producer that has to be found wrong, and nothing else.
  client.port().post(client.port().receive_ring().free_slots(), net::kMinBuffer);
  run_away(client.port(), net::receive_ring(0));
  provoke_end(client);
}

const Entry entry{
    {.name = "runaway-receive",
     .family = "rings",
     .source = "XSA-39, CVE-2013-0216: netback, 'ring contains garbage'",
     .does = "publishes two thousand million receive buffers at once, and has a frame sent to it",
     .holds = "the switch ends that session at the first frame; nobody else notices",
     .fate = Fate::CutOff,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
