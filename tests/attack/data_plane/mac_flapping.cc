// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::MacAddress stolen[] = {find_host(client, Host::Alice), find_host(client, Host::Bob)};
  Eavesdropper others(client, 64);
  Random random;
  while (true) {
    net::MacAddress from = stolen[random.below(2)];
    if (random.below(2) == 0) from.bytes[5] = static_cast<std::uint8_t>(random.next());
    if (from == client.port_info().mac) continue;
    if (port.send(plain_frame(kEverybody, from)) != net::Verdict::Forbidden) {
      return client.stage().broke("a frame from another's address is taken");
    }
    (void)others.look();
  }
}

const Entry entry{{.name = "mac-flapping",
                   .family = "data-plane",
                   .source = "macof, and port stealing: a source address is a claim",
                   .does = "sends from the victims' addresses and from many others",
                   .holds = "each such frame is forbidden, and no port is moved",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
