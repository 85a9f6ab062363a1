// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::MacAddress alice = find_host(client, Host::Alice);
  const test::Partial tcp = tcp_segments(client, alice, Host::Alice, 65000, 48);
  const net::Transmit frame = place_frame(port, tcp.frame, tcp.header);
  flood(port, frame);
}

const Entry entry{{.name = "tso-flood",
                   .family = "data-plane",
                   .source = "CVE-2019-11479: an MSS of 48; 64 KiB are 1365 frames",
                   .does = "sends 64 KiB segments to alice at full rate, cut as finely as may be",
                   .holds = "her frames are lost for as long as it lasts, and nothing else: disks "
                            "go on, and so does the switch",
                   .keeps_frames_out = true,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
