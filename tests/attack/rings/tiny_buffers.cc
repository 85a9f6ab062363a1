// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/net_master.h"
#include "tests/attack/rings/provocation.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  client.port().post(18, 64);
  provoke_end(client);
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) {
    for (const std::uint32_t length : {0U, 1U, 11U, 12U, 13U, 64U}) {
      master.receive_into(master.payload(), length);
    }
  }
}

const Entry entry{{.name = "tiny-buffers",
                   .family = "rings",
                   .source = "CVE-2026-86566, DPDK vhost: runt receive descriptors",
                   .does = "gives receive buffers of 64 bytes, and has a frame sent to it",
                   .holds = "the switch ends that session, and writes into none of them",
                   .fate = Fate::CutOff,
                   .run = &run,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
