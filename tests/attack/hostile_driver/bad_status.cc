// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  driver.misanswer(
      [&](const block::Request& request) { driver.answer(request.id, VIRTIO_BLK_S_UNSUPP + 1); });
}

const Entry entry{{.name = "bad-status",
                   .family = "hostile-driver",
                   .source = "virtio 1.2, 5.2.6: three statuses are known",
                   .does = "answers with a status that there is not",
                   .holds = "its client does not guess what it means, and leaves",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
