// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"
#include "tests/attack/rings/expect_error.h"

namespace cede::attack {
namespace {

bool is_known(std::uint16_t type) {
  return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_FLUSH ||
         type == VIRTIO_BLK_T_GET_ID || type == VIRTIO_BLK_T_DISCARD ||
         type == VIRTIO_BLK_T_WRITE_ZEROES;
}

void run(Client& client) {
  Disk& disk = client.disk();
  Random random;
  while (true) {
    block::Request request = disk.request(static_cast<std::uint16_t>(random.next()), random.next(),
                                          static_cast<std::uint32_t>(random.next()));
    request.offset = random.next();
    request.reserved = static_cast<std::uint32_t>(random.next());
    if (is_known(request.type)) continue;
    if (!expect_error(client, request)) return;
    block::Request flagged = disk.request(VIRTIO_BLK_T_OUT, 0);
    flagged.flags = static_cast<std::uint16_t>(random.next() | 2);
    if (!expect_error(client, flagged)) return;
  }
}

const Entry entry{{.name = "unknown-types",
                   .family = "rings",
                   .source = "virtio 1.2, 5.2.6: what is unknown is VIRTIO_BLK_S_UNSUPP",
                   .does = "asks for operations that do not exist, with flags that do not either",
                   .holds = "each is answered as unsupported, and the session goes on",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
