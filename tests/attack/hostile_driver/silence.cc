// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  while (true) (void)driver.next();
}

const Entry entry{
    {.name = "silence",
     .family = "hostile-driver",
     .source = "Xen frontends wait for a silent backend without end",
     .does = "answers nothing any more, and keeps the session",
     .holds = "its own client waits, and nobody else; its death brings the pages home",
     .fate = Fate::Stays,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
