// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

// The first of the control requests is in the switch's hands until the link changes.
void fill(Client& client) {
  test::NetClient& port = client.port();
  const net::LinkState link{.up = client.port_info().link_up != 0, .mtu = client.port_info().mtu};
  while (port.control().free_slots() > 0) {
    port.control().put({.type = net::Control::Type::AwaitLink, .value = link.value()});
  }
  port.publish(port.control());
  port.post(port.receive_ring().free_slots(), net::kMinBuffer);
}

void refill(test::NetClient& port, const net::Transmit& frame) {
  test::NetClient::TransmitRing& ring = port.transmit();
  for (net::Transmitted done; ring.take(done) == Verdict::Ready;) {
  }
  while (ring.free_slots() > 0) ring.put(frame);
  port.publish(ring);
}

void run(Client& client) {
  const test::Bytes call = plain_frame(kEverybody, client.port_info().mac);
  while (true) {
    fill(client);
    Message close;
    close.type = MessageType::Close;
    close.subject = client.port_session();
    (void)client.broker().link().send(close);
    const net::Transmit frame = place_frame(client.port(), call);
    do {
      refill(client.port(), frame);
    } while (!client.broker().has(MessageType::Closing, client.port_session()));
    client.release_port();
    client.connect_port();
  }
}

const Entry entry{
    {.name = "port-churn",
     .family = "exhaustion",
     .source = "XSA-526, 527, 528, 374: an interface that goes while its rings are full",
     .does = "closes and connects its port anew, and keeps transmit, receive and "
             "control rings full until it is gone",
     .holds = "each end of a port is complete, and the others' network goes on",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
