// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::MacAddress alice = find_host(client, Host::Alice);
  const net::Transmit frame = place_frame(port, plain_frame(alice, client.port_info().mac));
  flood(port, frame);
}

const Entry entry{{.name = "frame-flood",
                   .family = "data-plane",
                   .source = "a client may flood another that it reaches: a stated limit",
                   .does = "sends 64-byte frames to alice at full rate",
                   .holds = "her frames are lost for as long as it lasts, and nothing else: disks "
                            "go on, and so does the switch",
                   .keeps_frames_out = true,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
