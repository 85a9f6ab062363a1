// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <optional>
#include <utility>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

// What others have sent to the attacker lies where its frame did.
bool is_overwritten(test::NetClient& port, const net::MacAddress& own) {
  constexpr std::size_t kSource = sizeof own.bytes;
  return std::memcmp(port.memory() + port.room() + kSource, own.bytes, sizeof own.bytes) != 0;
}

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, arp_request(client, Host::Alice));
  std::optional<std::uint64_t> first_foreign;  // the requests from there on are of others' frames
  const auto share = [&](std::uint64_t i) {
    for (net::Received in; port.receive_ring().take(in) == Verdict::Ready;) {
    }
    while (port.receive_ring().free_slots() > 0) {
      port.receive_ring().put({.offset = port.room(), .length = net::kMinBuffer});
    }
    port.publish(port.receive_ring());
    if (!first_foreign && is_overwritten(port, client.port_info().mac)) first_foreign = i;
    return frame;
  };
  bool told = false;
  const auto judge = [&, i = std::uint64_t{0}](net::Verdict verdict) mutable {
    const std::uint64_t answered = i++;
    const bool foreign = first_foreign && answered >= *first_foreign;
    if (foreign && verdict == net::Verdict::Taken && !std::exchange(told, true)) {
      client.stage().broke("what was received is sent from its sender's address");
    }
  };
  storm_with_frames(port, share, judge);
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
