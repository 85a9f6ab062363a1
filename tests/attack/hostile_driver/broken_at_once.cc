// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  do {
    driver.send(MessageType::Close, Status::Broken);
  } while (driver.begin_anew());
  driver.stage().broke("its client does not come back");
}

const Entry entry{
    {.name = "broken-at-once",
     .family = "hostile-driver",
     .source = "XSA-350 turned round: a peer that connects and leaves in a loop",
     .does = "says that its client broke the protocol, and again with each session",
     .holds = "the client comes back each time, later and later, and nobody else pays for it",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
