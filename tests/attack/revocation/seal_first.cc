// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"

namespace cede::attack {
namespace {

constexpr int kFinalSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

void run(Client& client) {
  client.close(client.disk());
  while (true) {
    for (const int seals : {F_SEAL_SEAL, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE,
                            F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, F_SEAL_WRITE | F_SEAL_SEAL}) {
      BareSession session = take_offer(client, client.disk().grant);
      const int region = session.side.fds.region.get();
      (void)::fcntl(region, F_ADD_SEALS, seals);
      const bool connected = connects(client, session.handle);
      if (connected && (::fcntl(region, F_GET_SEALS) & kFinalSeals) != kFinalSeals) {
        return client.stage().broke("a session is connected without its final seals");
      }
      if (connected && ::fcntl(region, F_ADD_SEALS, F_SEAL_WRITE) == 0) {
        return client.stage().broke("a seal is added after the last one");
      }
      give_back(client, std::move(session));
    }
  }
}

const Entry entry{{.name = "seal-first",
                   .family = "revocation",
                   .source = "fcntl(2): F_SEAL_SEAL by a client keeps the broker's own seals off",
                   .does = "seals the region in its own way before it says that it has mapped it",
                   .holds = "a session is connected with the broker's seals, or rolled back",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
