// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/rings/provocation.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  client.port().post(18, 64);
  provoke_end(client);
}

const Entry entry{{.name = "tiny-buffers",
                   .family = "rings",
                   .source = "CVE-2026-86566, DPDK vhost: runt receive descriptors",
                   .does = "gives receive buffers of 64 bytes, and has a frame sent to it",
                   .holds = "the switch ends that session, and writes into none of them",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
