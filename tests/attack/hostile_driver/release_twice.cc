// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void expect_refused(Driver& driver, MessageType type, const char* what) {
  if (driver.ask(type) == Status::Ok) driver.stage().broke(what);
}

void run(Driver& driver) {
  driver.send(MessageType::Close);
  if (!driver.await_closing()) return driver.stage().broke("it cannot close its own session");
  driver.let_go();
  if (driver.ask(MessageType::Release) != Status::Ok) driver.stage().broke("it cannot let go");
  for (int round = 0; round < 100; ++round) {
    expect_refused(driver, MessageType::Release, "it lets go twice");
    expect_refused(driver, MessageType::Close, "it closes a session that is over");
    expect_refused(driver, MessageType::Mapped, "it connects a session that is over");
    expect_refused(driver, MessageType::Refuse, "it refuses a session that is over");
  }
  driver.stage().note("all was refused, a hundred times");
}

const Entry entry{
    {.name = "release-twice",
     .family = "hostile-driver",
     .source = "XSA-224 and XSA-394: reference counts of grants that are dropped twice",
     .does = "lets go of a session twice, and goes on to speak of it when it is over",
     .holds = "the second time, and all that is said of what is over, is refused",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
