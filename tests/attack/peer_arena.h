// SPDX-License-Identifier: Apache-2.0
// The same as Arena for a peer.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/peer.h"
#include "tests/attack/phase.h"
#include "tests/attack/signs.h"
#include "vmm/process/process.h"

namespace cede::attack {

class PeerArena {
 public:
  // Throws std::runtime_error.
  PeerArena(const Attack& attack, System system);

  [[nodiscard]] Phase measure(std::chrono::milliseconds duration);
  void await_echo() const { peer_->victims().await_echo(); }
  void begin_attack() { signs_.give(); }
  void await_cut_off() {}
  void end_attack() { attacker_.kill(); }
  [[nodiscard]] bool settles() { return true; }
  [[nodiscard]] std::int64_t pages_unaccounted() const { return 0; }
  [[nodiscard]] const Findings& heard() { return signs_.heard(); }
  [[nodiscard]] bool attacker_is_gone() { return !attacker_.running(); }
  [[nodiscard]] bool attacker_is_rejected() const { return false; }
  [[nodiscard]] std::vector<std::string> lost_servers();
  [[nodiscard]] std::vector<std::string> damage();

 private:
  System system_;
  std::unique_ptr<Peer> peer_;
  Signs signs_;
  Process attacker_;
};

}  // namespace cede::attack
