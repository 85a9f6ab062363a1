// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  while (driver.next(20)) {
  }
  ::_exit(0);
}

const Entry entry{{.name = "end-mid-io",
                   .family = "hostile-driver",
                   .source = "DESIGN, section 4: a driver's death needs no help of its own",
                   .does = "dies with all of its client's requests in its hands",
                   .holds = "its next life gets them again; its client sees a pause",
                   .fate = Fate::Either,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
