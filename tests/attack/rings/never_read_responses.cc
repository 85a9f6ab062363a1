// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/client.h"
#include "tests/attack/network.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Disk& disk = client.disk();
  test::NetClient& port = client.port();
  const net::Transmit frame = place_frame(port, plain_frame(kEverybody, client.port_info().mac));
  while (disk.ring.free_slots() > 0) disk.ring.put(disk.request(VIRTIO_BLK_T_IN, 0));
  while (port.transmit().free_slots() > 0) port.transmit().put(frame);
  while (port.control().free_slots() > 0) port.control().put({.type = net::Control::Type{99}});
  port.post(port.receive_ring().free_slots(), net::kMinBuffer);
  port.publish(port.transmit());
  port.publish(port.control());
  while (true) {
    disk.publish();
    disk.kick.ring();
    port.kick();
    ::usleep(100);
  }
}

const Entry entry{{.name = "never-read-responses",
                   .family = "rings",
                   .source = "XSA-416 and its like: replies that nobody reads",
                   .does = "keeps all rings full, rings, and never takes an answer",
                   .holds = "its own rings stand still, and cost nobody anything",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
