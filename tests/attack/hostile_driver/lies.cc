// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  while (true) {
    if (const auto request = driver.next()) driver.answer(request->id, VIRTIO_BLK_S_OK);
  }
}

const Entry entry{{.name = "lies",
                   .family = "hostile-driver",
                   .source = "a driver is trusted with its own disk, and with nothing else",
                   .does = "answers that all is done, and does nothing",
                   .holds = "the disk that it serves is spoilt, and no other",
                   .fate = Fate::Stays,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
