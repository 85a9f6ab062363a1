// SPDX-License-Identifier: Apache-2.0
// The same as Arena for a peer: one qemu-storage-daemon, which exports one disk to the victim and
// another to the attacker. There is no network, and nobody starts it again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/phase.h"
#include "tests/attack/signs.h"
#include "tests/bench/blk/ram_image.h"
#include "tests/bench/blk/server_socket.h"
#include "vmm/process/process.h"

namespace cede::attack {

class PeerArena {
 public:
  // Throws std::runtime_error.
  explicit PeerArena(const Attack& attack);

  [[nodiscard]] Phase measure(std::chrono::milliseconds duration);
  void await_echo() const {}
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
  [[nodiscard]] Process start_daemon() const;

  bench::RamImage victims_image_;
  bench::RamImage attackers_image_;
  bench::ServerSocket victims_socket_;
  bench::ServerSocket attackers_socket_;
  Process daemon_;
  Victims victims_;
  Signs signs_;
  Process attacker_;
};

}  // namespace cede::attack
