// SPDX-License-Identifier: Apache-2.0
// Faults that end a session: one session after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/attack/client.h"

namespace cede::attack {

// Connects the disk anew for each round, for ever. `violate(disk, round)` has to end the session.
template <class Violate>
void break_sessions(Client& client, Violate violate) {
  std::unique_ptr<Disk> later;
  for (std::uint64_t round = 0;; ++round) {
    Disk& disk = later ? *later : client.disk();
    const Handle grant = disk.grant;
    violate(disk, round);
    if (!client.await_cut_off(disk.session)) {
      return client.stage().broke("violation " + std::to_string(round) + " is let pass");
    }
    client.close(disk);
    later = client.connect_disk(grant);
  }
}

}  // namespace cede::attack
