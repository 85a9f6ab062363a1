// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/driver.h"

namespace cede::attack {
namespace {

void run(Driver& driver) {
  for (const std::uint32_t ahead : {1U << 31, ~0U, RingShape::kMaxSlots + 1}) {
    if (!driver.next(5000)) return driver.stage().broke("its client asks for nothing");
    SharedIndex rsp_prod(driver.memory().data() + RingShape::kBackLine);
    rsp_prod.store(rsp_prod.load(std::memory_order_relaxed) + ahead, std::memory_order_release);
    driver.call().ring();
    if (!driver.await_closing()) return driver.stage().broke("such a producer is believed");
    if (!driver.begin_anew()) return driver.stage().broke("its client does not come back");
  }
  driver.stage().cut_off();
}

const Entry entry{
    {.name = "runaway-responses",
     .family = "hostile-driver",
     .source = "XSA-376, and XSA-39 turned round: a producer index is the peer's",
     .does = "publishes answers far ahead of the requests, or behind those that were read",
     .holds = "its client leaves after one look, each time",
     .fate = Fate::CutOff,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
