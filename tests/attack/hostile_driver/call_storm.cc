// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  while (true) driver.call().ring();
}

const Entry entry{
    {.name = "call-storm",
     .family = "hostile-driver",
     .source = "XSA-391: event storms by backends",
     .does = "answers nothing, and rings its client without end",
     .holds = "the client's process, which serves another device too, stops listening to that bell",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
