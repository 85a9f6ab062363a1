// SPDX-License-Identifier: Apache-2.0
// A client that does not let go of a region which it should have let go of.
#pragma once

#include <algorithm>

#include "tests/attack/exhaustion/household.h"

namespace cede::attack {

// Writes all over it for ever. Meanwhile neither the pages nor the device may be given out again.
// Precondition: the disk's session was closed by its client, and its mapping is still there.
inline void hold_on(Client& client) {
  Disk& disk = client.disk();
  for (std::uint8_t pattern = 0;; ++pattern) {
    std::ranges::fill(disk.payload(), std::byte{pattern});
    if (client.broker().connect(disk.grant, Client::kDiskGeometry)) {
      return client.stage().broke("the disk has a second session while the first is mapped");
    }
    if (try_child(client.broker(), kSparePages + 1)) {
      return client.stage().broke("pages are given out that somebody still maps");
    }
  }
}

}  // namespace cede::attack
