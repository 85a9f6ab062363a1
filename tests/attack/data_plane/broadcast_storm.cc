// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, plain_frame(kEverybody, client.port_info().mac));
  flood(port, frame);
}

const Entry entry{
    {.name = "broadcast-storm",
     .family = "data-plane",
     .source = "storm control: a frame to everybody costs everybody",
     .does = "sends broadcasts at full rate",
     .holds = "the switch limits them, charges the copies to their sender, and echoes go on",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
