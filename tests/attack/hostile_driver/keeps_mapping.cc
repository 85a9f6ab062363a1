// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

// Longer than the broker takes to find free pages free.
constexpr int kWaitMs = 80;

void expect_held(Driver& driver, const char* what) {
  for (int i = 0; i < kWaitMs && !driver.is_closed(); ++i) driver.listen(1);
  if (driver.is_closed()) driver.stage().broke(what);
}

// The arena ends it long before the supervisor would: that takes the client's end first.
void run(Driver& driver) {
  driver.send(MessageType::Close);
  (void)driver.await_closing();
  if (driver.ask(MessageType::Release) != Status::Ok) driver.stage().broke("it cannot let go");
  expect_held(driver, "pages that it has mapped are given back");
  driver.memory().reset();
  expect_held(driver, "pages that it has a descriptor of are given back");
}

const Entry entry{
    {.name = "keeps-mapping",
     .family = "hostile-driver",
     .source = "linux-memory: a mapping outlives every word about it",
     .does = "says that it has let go, and keeps its mapping, and later its descriptor",
     .holds = "the pages are nobody else's until the kernel says that they are free",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
