// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <utility>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

constexpr std::uint32_t kApart = 128;  // a frame has 64 bytes

void run(Client& client) {
  test::NetClient& port = client.port();
  const test::Bytes content = plain_frame(kEverybody, client.port_info().mac);
  const net::Transmit first = place_frame(port, content);
  Eavesdropper others(client, 64);
  Random random;
  const auto to_nobody = [&](std::uint64_t i) {
    net::Transmit frame = first;
    frame.offset += static_cast<std::uint32_t>(i % port.transmit().slots()) * kApart;
    std::memcpy(port.memory() + frame.offset, content.data(), content.size());
    const std::uint64_t to = random.next() & ~std::uint64_t{1};
    std::memcpy(port.memory() + frame.offset, &to, sizeof(net::MacAddress));
    return frame;
  };
  bool refused = false;
  storm_with_frames(port, to_nobody, [&](net::Verdict verdict) {
    if (verdict != net::Verdict::Taken && !std::exchange(refused, true)) {
      client.stage().broke("a frame to nobody is refused");
    }
    (void)others.look();
  });
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
