// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/hold_on.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  (void)client.broker().request(MessageType::Close, client.disk().session);
  (void)client.broker().await(MessageType::Closing, client.disk().session);
  hold_on(client);
}

const Entry entry{{.name = "never-let-go",
                   .family = "exhaustion",
                   .source = "Xen: grants that a frontend never ends",
                   .does = "closes its session, and keeps mapping and descriptor",
                   .holds = "its own pages stay away; driver and neighbours go on",
                   .fate = Fate::Either,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
