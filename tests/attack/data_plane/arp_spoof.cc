// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const net::MacAddress own = client.port_info().mac;
  const net::MacAddress alice = find_host(client, Host::Alice);
  const net::MacAddress bob = find_host(client, Host::Bob);
  Eavesdropper others(client, 64);
  while (true) {
    for (const test::Bytes& lie : {arp_reply(alice, own, Host::Bob, Host::Alice),
                                   arp_reply(bob, own, Host::Alice, Host::Bob)}) {
      if (client.port().send(lie) != net::Verdict::Forbidden) {
        return client.stage().broke("an ARP reply for another's address is taken");
      }
    }
    (void)others.look();
  }
}

const Entry entry{{.name = "arp-spoof",
                   .family = "data-plane",
                   .source = "ARP cache poisoning",
                   .does = "tells each victim that the other's IPv4 address is here",
                   .holds = "the switch forbids each such frame, and their echoes reach each other",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
