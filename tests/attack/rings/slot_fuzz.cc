// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/random.h"
#include "tests/attack/rings/sessions.h"

namespace cede::attack {
namespace {

block::Request fuzzed(Disk& disk, Random& random) {
  const std::uint64_t end = disk.geometry.bytes();
  block::Request request = disk.request(
      random.among<std::uint16_t>({VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
                                   VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_WRITE_ZEROES, 99}),
      random.below(2 * disk.info.sectors),
      random.among<std::uint32_t>({0, 20, 512, 4096, disk.info.max_transfer}));
  if (random.below(4) == 0) request.offset = random.below(end);
  if (random.below(64) == 0) request.offset = random.next() >> random.below(64);
  if (random.below(8) == 0) request.flags = static_cast<std::uint16_t>(random.next());
  if (random.below(256) == 0) request.id = static_cast<std::uint32_t>(random.next());
  return request;
}

void run(Client& client) {
  Random random;
  break_sessions(client, [&](Disk& disk, std::uint64_t) {
    while (!client.broker().has(MessageType::Closing, disk.session)) {
      while (disk.ring.free_slots() > 0) disk.ring.put(fuzzed(disk, random));
      disk.publish();
      for (block::Response response;
           disk.ring.in_flight() > 0 && disk.ring.take(response) == Verdict::Ready;) {
      }
    }
  });
}

const Entry entry{
    {.name = "slot-fuzz",
     .family = "rings",
     .source = "XSA-155: drivers incautious about what is in shared memory",
     .does =
         "publishes requests of random bytes, most of them nearly right, in session after session",
     .holds = "each is answered, or ends the session; the driver goes on",
     .fate = Fate::CutOff,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
