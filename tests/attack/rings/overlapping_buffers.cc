// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, arp_request(client, Host::Alice));
  const auto share = [&](std::uint64_t) {
    for (net::Received in; port.receive_ring().take(in) == Verdict::Ready;) {
    }
    while (port.receive_ring().free_slots() > 0) {
      port.receive_ring().put({.offset = port.room(), .length = net::kMinBuffer});
    }
    port.publish(port.receive_ring());
    return frame;
  };
  storm_with_frames(port, share, [](net::Verdict) {});
}

const Entry entry{
    {.name = "overlapping-buffers",
     .family = "rings",
     .source = "XSA-155, by the switch's own hand: what it judged is overwritten",
     .does = "gives the same page as receive buffer 256 times, and as a frame to send as well",
     .holds = "it spoils its own frames, and the switch judges what it copied",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
