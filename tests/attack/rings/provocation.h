// SPDX-License-Identifier: Apache-2.0
// Receive buffers are looked at when a frame comes, so frames have to be made to come.
#pragma once

#include "tests/attack/network.h"

namespace cede::attack {

// Asks who has alice's address: she answers, to the attacker.
inline void provoke(Client& client) {
  (void)client.port().send(arp_request(client, Host::Alice));
}

// With receive buffers given that have to end the session.
inline void provoke_end(Client& client) {
  provoke(client);
  if (!client.await_cut_off(client.port_session())) {
    client.stage().broke("the receive ring is let pass");
  }
}

}  // namespace cede::attack
