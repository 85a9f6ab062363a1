// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient::ControlRing& ring = client.port().control();
  for (Random random;;) {
    while (ring.free_slots() > 0) {
      ring.put({.type = static_cast<net::Control::Type>(
                    random.among<std::uint16_t>({0, 1, 1, 2, 3, 0xFFFF})),
                .reserved = static_cast<std::uint16_t>(random.next()),
                .id = static_cast<std::uint32_t>(random.next()),
                .value = random.next() >> random.below(64)});
    }
    client.port().publish(ring);
    for (net::Controlled answer; ring.in_flight() > 0 && ring.take(answer) == Verdict::Ready;) {
    }
  }
}

const Entry entry{{.name = "control-fuzz",
                   .family = "rings",
                   .source = "XSA-270, CVE-2018-15471: the control ring, and whatever comes by it",
                   .does = "asks anything of the switch by the control ring, at full rate",
                   .holds = "its own port changes, and no other",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
