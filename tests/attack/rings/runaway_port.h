// SPDX-License-Identifier: Apache-2.0
// A producer of one of a port's rings that cannot be right.
#pragma once

#include "tests/attack/client.h"

namespace cede::attack {

inline void run_away(test::NetClient& port, std::uint16_t ring) {
  SharedIndex(port.ring_at(ring) + RingShape::kFrontLine)
      .store(1U << 31, std::memory_order_release);
  port.kick();
}

}  // namespace cede::attack
