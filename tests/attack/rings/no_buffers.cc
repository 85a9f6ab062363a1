// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, arp_request(client, Host::Alice));
  flood(port, frame);
}

// None is given back: once all are used, there is none.
void run_on_vhost_user_net(NetMaster& master) {
  while (true) master.send();
}

const Entry entry{{.name = "no-buffers",
                   .family = "rings",
                   .source = "XSA-392, CVE-2021-28715: a guest that posts no receive buffers",
                   .does = "has frames sent to it at full rate, and gives no buffer for any",
                   .holds = "the frames are dropped; nothing is queued for it, and nobody waits",
                   .run = &run,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
