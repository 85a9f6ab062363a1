// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  driver.misanswer([&](const block::Request& request) {
    driver.answer(request.id ^ 1U << 20, VIRTIO_BLK_S_OK);
  });
}

const Entry entry{{.name = "unknown-ids",
                   .family = "hostile-driver",
                   .source = "XSA-376: frontends trust a backend's ids",
                   .does = "answers requests that nobody made, and never lets go",
                   .holds = "its client leaves it and waits for its next life",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
