// SPDX-License-Identifier: Apache-2.0
// The victims' network as an attacker meets it: their addresses, frames to them, and what comes of
// them.
#pragma once

#include <cstdint>

#include "protocols/net.h"
#include "tests/attack/client.h"
#include "tests/unit/switch/frames.h"

namespace cede::attack {

// By the last byte of 10.77.0.X.
enum class Host : std::uint8_t { Alice = 1, Bob = 2, Mallory = 3 };

inline constexpr net::MacAddress kEverybody{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

// A frame with any content, of the local experimental type.
[[nodiscard]] test::Bytes plain_frame(const net::MacAddress& to, const net::MacAddress& from,
                                      std::size_t payload = 50);
// "Who has `wanted`?", to everybody; said by the attacker, and truly.
[[nodiscard]] test::Bytes arp_request(Client& client, Host wanted);
// "`sender` is at `from`", whether that is true or not.
[[nodiscard]] test::Bytes arp_reply(const net::MacAddress& to, const net::MacAddress& from,
                                    Host sender, Host receiver);
// Where a reply says who its sender is: the last byte of its IPv4 address.
inline constexpr std::size_t kArpSender = 14 + 14 + 3;
// An ICMP echo request of the attacker's, with so many bytes.
[[nodiscard]] test::Bytes echo_request(Client& client, const net::MacAddress& to, Host host,
                                       std::size_t payload);
// TCP of the attacker's in one piece, to be cut into segments of `segment` bytes.
[[nodiscard]] test::Partial tcp_segments(Client& client, const net::MacAddress& to, Host host,
                                         std::size_t payload, std::uint16_t segment);

// Asks the network for a victim's address. Leaves no receive buffers behind.
[[nodiscard]] net::MacAddress find_host(Client& client, Host host);

// Looks at what has come to the attacker since the last look, with `buffers` receive buffers given
// anew at the first: packets of others' are an effect that must not be.
class Eavesdropper {
 public:
  Eavesdropper(Client& client, std::uint32_t buffers);
  // How many frames there were.
  std::uint32_t look();

 private:
  Client& client_;
  bool heard_ = false;
};

// The frame's place in the attacker's pages, and a request to send it from there, over and over.
[[nodiscard]] net::Transmit place_frame(test::NetClient& port, const test::Bytes& frame,
                                        const net::Header& header = {});

// Keeps the transmit ring full of requests made by `make(i)`, and shows each answer to
// `judge(verdict)`; for ever.
template <class Make, class Judge>
[[noreturn]] void storm_with_frames(test::NetClient& port, Make make, Judge judge) {
  test::NetClient::TransmitRing& ring = port.transmit();
  for (std::uint64_t i = 0;;) {
    while (ring.free_slots() > 0) ring.put(make(i++));
    port.publish(ring);
    judge(port.verdict());
    for (net::Transmitted more; ring.in_flight() > 0 && ring.take(more) == Verdict::Ready;) {
      judge(more.verdict);
    }
  }
}
// The same frame over and over.
[[noreturn]] inline void flood(test::NetClient& port, const net::Transmit& frame) {
  storm_with_frames(
      port, [&](std::uint64_t) { return frame; }, [](net::Verdict) {});
}

}  // namespace cede::attack
