// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/falloc.h>

#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"

namespace cede::attack {
namespace {

constexpr auto kAll = static_cast<off_t>(Client::kDiskGeometry.bytes());

void run(Client& client) {
  client.close(client.disk());
  while (true) {
    for (const off_t hole : {off_t{kPageBytes}, kAll / 2, kAll}) {
      BareSession session = take_offer(client, client.disk().grant);
      // The last seal is not on yet: this is possible, and has to be found out.
      const int punched = ::fallocate(session.side.fds.region.get(),
                                      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, hole);
      if (punched == 0 && connects(client, session.handle)) {
        return client.stage().broke("a region with holes is connected");
      }
      give_back(client, std::move(session));
    }
  }
}

const Entry entry{{.name = "punch-early",
                   .family = "revocation",
                   .source = "memfd seals: between the driver's mapping and the last seal",
                   .does = "punches holes into the region before it says that it has mapped it",
                   .holds = "such a session is rolled back, whole",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
