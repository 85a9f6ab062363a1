// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::MacAddress alice = find_host(client, Host::Alice);
  const test::Bytes echo = echo_request(client, alice, Host::Alice, 1400);
  port.post(1, net::kMinBuffer);
  while (true) {
    (void)port.send(echo);
    if (port.silent()) continue;
    const test::ReceivedFrame frame = port.receive();
    if (frame.bytes.size() > net::kMinBuffer) {
      return client.stage().broke("a frame is longer than its buffer");
    }
    port.post(1, net::kMinBuffer);
  }
}

const Entry entry{{.name = "one-buffer",
                   .family = "rings",
                   .source = "XSA-392, CVE-2021-28714: one slot where the packet needs two",
                   .does = "gives one receive buffer at a time for frames that need two",
                   .holds = "such a frame is dropped, uses no buffer up, and holds up nobody",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
