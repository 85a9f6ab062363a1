// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  for (std::uint32_t index = 0; index < 16; ++index) {
    for (std::uint32_t generation = 1; generation < 8; ++generation) {
      const Handle guess{index, generation};
      if (guess == driver.session()) continue;
      for (const MessageType type : {MessageType::Close, MessageType::Release, MessageType::Mapped,
                                     MessageType::Refuse, MessageType::RevokeGrant}) {
        if (driver.ask(type, Status::Ok, guess) == Status::Ok) {
          driver.stage().broke("the broker takes its word for another's session");
        }
      }
    }
  }
  driver.stage().note("no guess was right");
}

const Entry entry{{.name = "foreign-sessions",
                   .family = "hostile-driver",
                   .source = "protocol.md: a handle works only on the socket that it was issued to",
                   .does = "closes, releases and maps sessions that are not its own",
                   .holds = "the broker does nothing that it says of them",
                   .fate = Fate::Stays,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
