// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/rings/provocation.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  test::NetClient& port = client.port();
  port.post_at(static_cast<std::uint32_t>(port.geometry().data_offset() - 4096), 8192);
  port.publish(port.receive_ring());
  provoke_end(client);
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) master.receive_into(test::VhostUserNetClient::kGuestBase, 2048);
}

const Entry entry{
    {.name = "ring-page-buffers",
     .family = "rings",
     .source = "CVE-2018-1059, DPDK vhost: an extent that runs out of its pages",
     .does = "gives its own ring pages as receive buffers, and has a frame sent to it",
     .holds = "the switch ends that session, and writes no frame into its rings",
     .fate = Fate::CutOff,
     .run = &run,
     .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
