// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <span>

#include "protocols/posix/channel.h"
#include "tests/attack/attack.h"
#include "tests/attack/client.h"

namespace cede::attack {
namespace {

void run(Client& client) {
  Message message;
  message.type = MessageType::InspectDomain;
  std::array<int, kMaxPacketFds> descriptors;
  descriptors.fill(client.disk().region.get());
  const auto send = [&] {
    const auto bytes = std::as_bytes(std::span(&message, 1));
    return send_packet(client.broker().fd(), bytes, descriptors) == Status::Ok ? 0 : -1;
  };
  const int sent = send();
  if (sent == 0) {  // before Linux 6.16 it is the receiver that refuses
    if (!client.await_cut_off()) client.stage().broke("the broker takes descriptors");
    return;
  }
  client.stage().expect_refused("descriptors are sent to the broker", sent);
  while (send() != 0) {
  }
  client.stage().broke("descriptors are sent to the broker, at last");
}

const Entry entry{
    {.name = "descriptor-flood",
     .family = "exhaustion",
     .source = "unix(7): received descriptors fill a server's table, or hang its close",
     .does = "sends descriptors to the broker",
     .holds = "the kernel refuses, or the broker ends it; none arrives",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
