// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

// Being told to let go is not the end that the arena waits for: that is the process's.
void run(Driver& driver) {
  driver.send(MessageType::Close);
  (void)driver.await_closing();
}

const Entry entry{{.name = "never-release",
                   .family = "hostile-driver",
                   .source = "Xen: a backend that keeps its grants leaks the frontend's pages",
                   .does = "closes the session and does not let go, ever",
                   .holds = "it is killed at the deadline, and the pages come home",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
