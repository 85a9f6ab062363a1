// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <thread>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"
#include "tests/attack/rings/shared_field.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const net::MacAddress own = client.port_info().mac;
  const net::MacAddress alice = find_host(client, Host::Alice);
  const net::MacAddress bob = find_host(client, Host::Bob);
  test::NetClient& port = client.port();
  const net::Transmit request =
      place_frame(port, arp_reply(alice, own, Host::Mallory, Host::Alice));
  std::byte* const frame = port.memory() + request.offset;
  std::thread([=] {
    for (std::uint32_t round = 0;; ++round) {
      const bool forged = round % 2 != 0;
      const net::MacAddress& from = forged ? bob : own;
      for (std::size_t i = 0; i < sizeof from.bytes; ++i) set(frame + 6 + i, from.bytes[i]);
      // Taken to be bob, the attacker would hear alice's echoes, and bob would not.
      set(frame + kArpSender, static_cast<std::uint8_t>(forged ? Host::Bob : Host::Mallory));
    }
  }).detach();
  for (Eavesdropper others(client, 64);; (void)others.look()) {
    const net::Verdict verdict = port.send_slot(request);
    if (verdict == net::Verdict::Limited) ::usleep(1000);
  }
}

const Entry entry{
    {.name = "flip-frame",
     .family = "rings",
     .source = "XSA-155, CVE-2015-8550",
     .does = "rewrites a frame's source and an ARP reply's sender while the switch takes it",
     .holds = "the switch sends what it has judged: no other address than its own leaves the port",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
