// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/master.h"
#include "tests/attack/net_master.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  client.behave();
}

void run_on_vhost_user(Master& master) {
  while (true) master.read_on();
}

void run_on_vhost_user_net(NetMaster& master) {
  while (true) master.send_on();
}

const Entry entry{{.name = "honest",
                   .family = "control",
                   .source = "no attack: what the figures of the others are worth",
                   .does = "goes on as before",
                   .holds = "whatever is held against the system is the machine's doing",
                   .run = &run,
                   .on_vhost_user = &run_on_vhost_user,
                   .on_vhost_user_net = &run_on_vhost_user_net}};

}  // namespace
}  // namespace cede::attack
