// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <thread>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  const auto ring_for_ever = [&client] {
    while (true) {
      client.disk().kick.ring();
      client.port().kick();
    }
  };
  std::thread(ring_for_ever).detach();
  ring_for_ever();
}

void run_on_vhost_user(Master& master) {
  const std::uint64_t one = 1;
  while (true) (void)!::write(master.disk().kick_fd(0), &one, sizeof one);
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) master.ring_bells();
}

const Entry entry{{.name = "doorbell-storm",
                   .family = "rings",
                   .source = "XSA-332, CVE-2020-27673",
                   .does = "rings both doorbells from two threads without having any work",
                   .holds = "the drivers grow deaf to that client, and to nobody else",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
