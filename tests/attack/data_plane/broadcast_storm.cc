// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

// In a row: what a port may send to everybody in ten seconds.
constexpr std::uint32_t kFarTooMany = 100'000;

void run(Client& client) {
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, plain_frame(kEverybody, client.port_info().mac));
  std::uint32_t taken = 0;
  storm_with_frames(
      port, [&](std::uint64_t) { return frame; },
      [&](net::Verdict verdict) {
        taken = verdict == net::Verdict::Taken ? taken + 1 : 0;
        if (taken == kFarTooMany) client.stage().broke("broadcasts without end are taken");
      });
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
