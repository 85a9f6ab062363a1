// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"

namespace cede::attack {
namespace {

net::Control fuzzed(Random& random) {
  return {
      .type = static_cast<net::Control::Type>(random.among<std::uint16_t>({0, 1, 1, 2, 3, 0xFFFF})),
      .reserved = static_cast<std::uint16_t>(random.next()),
      .id = static_cast<std::uint32_t>(random.next()),
      .value = random.next() >> random.below(64)};
}

bool may_be_granted(const net::Control& request) {
  if (request.type == net::Control::Type::AwaitLink) return true;
  return request.type == net::Control::Type::SetOffloads && request.value <= net::Offload::kAll;
}

void run(Client& client) {
  test::NetClient::ControlRing& ring = client.port().control();
  std::vector<net::Control> latest(ring.slots());  // by id, modulo their number
  for (Random random;;) {
    while (ring.free_slots() > 0) {
      const net::Control request = fuzzed(random);
      latest[request.id % latest.size()] = request;
      ring.put(request);
    }
    client.port().publish(ring);
    for (net::Controlled answer; ring.in_flight() > 0 && ring.take(answer) == Verdict::Ready;) {
      const net::Control& request = latest[answer.id % latest.size()];
      const bool granted = request.id == answer.id && answer.status == net::Controlled::kOk;
      if (granted && !may_be_granted(request)) {
        return client.stage().broke("what cannot be is granted");
      }
    }
  }
}

const Entry entry{{.name = "control-fuzz",
                   .family = "rings",
                   .source = "XSA-270, CVE-2018-15471: the control ring, and whatever comes by it",
                   .does = "asks anything of the switch by the control ring, at full rate",
                   .holds = "what makes no sense is refused; its own port changes, and no other",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
