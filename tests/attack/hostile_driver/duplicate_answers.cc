// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  driver.misanswer([&](const block::Request& request) {
    // The second takes the place of another request's answer: there has to be one.
    if (!driver.next()) return;
    driver.ring().put({request.id, driver.execute(request)});
    driver.answer(request.id, VIRTIO_BLK_S_OK);
  });
}

const Entry entry{{.name = "duplicate-answers",
                   .family = "hostile-driver",
                   .source = "XSA-376: frontends trust a backend's ids",
                   .does = "answers each request twice",
                   .holds = "its client believes the first answer and leaves at the second",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
