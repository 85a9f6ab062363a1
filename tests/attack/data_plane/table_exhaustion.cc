// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, plain_frame(kEverybody, client.port_info().mac));
  Eavesdropper others(client, 64);
  Random random;
  while (true) {
    const std::uint64_t to = random.next() & ~std::uint64_t{1};
    std::memcpy(port.memory() + frame.offset, &to, sizeof(net::MacAddress));
    if (port.send_slot(frame) != net::Verdict::Taken) {
      return client.stage().broke("a frame to nobody is refused");
    }
    (void)others.look();
  }
}

const Entry entry{
    {.name = "table-exhaustion",
     .family = "data-plane",
     .source = "macof: a full table floods",
     .does = "sends to addresses without end, so that the table fills and frames go to everybody",
     .holds =
         "the table is bounded and is not the sender's to fill; nobody hears the others' frames",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
