// SPDX-License-Identifier: Apache-2.0
#include <span>

#include "protocols/posix/channel.h"
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  Message message;
  message.type = MessageType::Close;
  message.subject = driver.session();
  const int carried = driver.region();
  const Status sent = send_packet(driver.link().fd(), std::as_bytes(std::span(&message, 1)),
                                  std::span(&carried, 1));
  if (sent != Status::Ok) return driver.stage().note("the kernel refuses the descriptor");
  while (!driver.is_closing()) driver.listen(10);
  if (driver.ask(MessageType::Close) != Status::Gone) {
    return driver.stage().broke("the broker takes a descriptor and goes on");
  }
  driver.stage().cut_off();
}

const Entry entry{
    {.name = "descriptor-to-broker",
     .family = "hostile-driver",
     .source = "protocol.md: descriptors go one way",
     .does = "sends the broker a descriptor with a message",
     .holds = "the kernel refuses it, or the broker drops the sender; none is ever taken",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
