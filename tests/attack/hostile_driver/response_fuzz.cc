// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

// Close to what is right, so that not all of it is stopped by the first check.
void scribble(Driver& driver, std::minstd_rand& random) {
  const std::uint32_t slots = driver.geometry().slots;
  std::byte* const ring = driver.memory().data();
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const auto id = static_cast<std::uint32_t>(random() % (slots + 2));
    const auto status = static_cast<std::uint32_t>(random() % 4);
    SharedSlot<block::Response>(ring + RingShape::kSlots + slot * block::kSlotBytes)
        .copy_out({id, status});
  }
  SharedIndex rsp_prod(ring + RingShape::kBackLine);
  SharedIndex req_event(ring + RingShape::kBackLine + RingShape::kToEvent);
  rsp_prod.store(
      rsp_prod.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(random() % 5),
      std::memory_order_release);
  req_event.store(static_cast<std::uint32_t>(random()), std::memory_order_relaxed);
  driver.call().ring();
}

void run(Driver& driver) {
  std::minstd_rand random(1);
  do {
    while (!driver.is_closing()) {
      scribble(driver, random);
      driver.listen(1);
    }
    driver.stage().cut_off();
  } while (driver.begin_anew());
  driver.stage().broke("its client does not come back");
}

const Entry entry{{.name = "response-fuzz",
                   .family = "hostile-driver",
                   .source = "XSA-155, XSA-376: whatever a backend can write",
                   .does = "writes noise into its half of the rings, and into the slots",
                   .holds = "its client leaves it, session after session, and does not die of it",
                   .fate = Fate::CutOff,
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
