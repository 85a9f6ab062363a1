// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  const block::Request request = disk.request(VIRTIO_BLK_T_IN, 0, disk.info.max_transfer);
  // On a disk in memory nothing else is in flight still when the next request is taken.
  block::Request first = request;
  first.type = VIRTIO_BLK_T_WRITE_ZEROES;
  first.offset = 0;
  while (true) {
    disk.ring.put(first);
    while (disk.ring.free_slots() > 0) disk.ring.put(request);
    disk.publish();
    while (disk.ring.in_flight() > 0) {
      const std::optional<block::Response> response = disk.answer();
      if (client.broker().has(MessageType::Closing, disk.session)) return client.stage().cut_off();
      if (!response) return client.stage().broke("a request is not answered");
      if (response->id != request.id) return client.stage().broke("another id is answered");
    }
  }
}

// A disk that is done with each request before the next is taken never has both in flight.
const Entry entry{
    {.name = "duplicate-ids",
     .family = "rings",
     .source = "XSA-376 turned round: ids of the peer taken on trust",
     .does = "publishes a whole ring of requests that have one id",
     .holds = "the driver ends that session when two are in flight, and answers each but once",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
