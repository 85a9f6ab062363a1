// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

// They are this process's only datagram sockets.
void shut_all_doorbells() {
  for (int fd = 3; fd < 256; ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    const bool socket = ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    if (socket && type == SOCK_DGRAM) ::shutdown(fd, SHUT_RDWR);
  }
}

void run(Client& client) {
  const auto read = [&](std::uint32_t i) {
    if (i == 1000) shut_all_doorbells();
    return client.disk().request(VIRTIO_BLK_T_IN, i % 64 * 8, 4096, i % 64);
  };
  client.disk().keep_busy(64, read, [] { return false; });
}

const Entry entry{
    {.name = "deaf-doorbell",
     .family = "rings",
     .source = "XSA-331, XSA-441: an event channel closed under load",
     .does = "shuts its doorbells down, both directions, with requests in flight",
     .holds =
         "the driver is not kept awake by a bell that will never ring again, and serves the others",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
