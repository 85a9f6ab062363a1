// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  net::Transmit request = place_frame(port, plain_frame(kEverybody, client.port_info().mac, 2000));
  while (true) {
    for (const std::uint32_t length :
         {0U, 1U, 13U, 1515U, net::kMaxFrame + 1, 1U << 31, UINT32_MAX}) {
      request.length = length;
      if (port.send_slot(request) != net::Verdict::Malformed) {
        return client.stage().broke("a runt or a giant is taken");
      }
    }
  }
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) {
    for (const std::uint32_t length :
         {0U, 1U, 11U, 12U, 13U, 1515U, net::kMaxFrame + 1, 1U << 31, UINT32_MAX}) {
      const test::GuestRing::Buffer frame{master.payload(), length, false};
      master.send_chain(std::span(&frame, 1));
    }
  }
}

const Entry entry{
    {.name = "runts-and-giants",
     .family = "rings",
     .source = "XSA-448 and CVE-2024-41090: frames without a byte, or of too few",
     .does = "sends frames of no bytes, of too few, and of up to four thousand million",
     .holds = "each is malformed; the session goes on",
     .run = &run,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
