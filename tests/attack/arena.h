// SPDX-License-Identifier: Apache-2.0
// Where attacks take place: a whole system as `cede up` makes it, with a disk and a switch, two
// honest clients, and the attacker as a third client or a second driver.
//
//   disk0 --- alice's vda (the victim's disk)       net0 --- alice, bob (the victims' network)
//         \-- mallory's vda                              \-- mallory's eth0
//   evil  --- bob's vda                             where the attacker is a driver: instead of
//   mallory; bob works that disk all the time
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/impostor.h"
#include "tests/attack/phase.h"
#include "tests/attack/signs.h"
#include "tests/attack/system.h"
#include "tests/attack/victims.h"
#include "tests/bench/blk/ram_image.h"
#include "tests/bench/net/load.h"
#include "tests/bench/running_system.h"
#include "tests/support/disk_load.h"

namespace cede::attack {

class Arena {
 public:
  // Everything is connected, and the attacker behaves. `weakened`: see Impostor; nothing: all
  // programs are sound. Throws std::runtime_error.
  Arena(const Attack& attack, System system, const std::string& weakened);

  // Throws std::runtime_error where a victim gets nowhere.
  [[nodiscard]] Phase measure(std::chrono::milliseconds duration);
  // Throws std::runtime_error where none of the victims' echoes comes back any more.
  void await_echo() const { victims_.await_echo(); }
  void begin_attack() { impostor_.signs().give(); }
  // Waits for the attacker's being cut off, as long as that may take.
  void await_cut_off();
  // Kills the attacker; its next life is the honest program.
  void end_attack();
  // Waits until no session of an ended life holds pages any more, and a while for the new ones.
  // False: pages do not come home.
  [[nodiscard]] bool settles();
  // Pages of the budget that no account, session or escrow has.
  [[nodiscard]] std::int64_t pages_unaccounted() const;
  // All that the attacker has said up to now.
  [[nodiscard]] const Findings& heard() { return impostor_.signs().heard(); }
  // Was it killed, or dropped, by somebody but us?
  [[nodiscard]] bool attacker_is_gone() const;
  // Did a driver end a session of its, as a client's that breaks the protocol?
  [[nodiscard]] bool attacker_is_rejected() const;
  // Broker, drivers and honest clients that are not the same processes as in the beginning.
  [[nodiscard]] std::vector<std::string> lost_servers() const;
  // Is the victim's disk what it was, and does a hostile driver's client get on? What is not so.
  // Throws where the disk cannot be read.
  [[nodiscard]] std::vector<std::string> damage();

 private:
  [[nodiscard]] std::string description(System system) const;
  [[nodiscard]] std::string attackers_name() const {
    return attack_.by_driver() ? "evil" : "mallory";
  }
  [[nodiscard]] pid_t attacker() const;  // its program's, now
  [[nodiscard]] std::vector<bench::ServerProcess> servers() const;

  const Attack& attack_;
  Impostor impostor_;
  Namespaces namespaces_;
  bench::RamImage disk_;
  bench::RamImage evil_disk_;
  bench::RunningSystem system_;
  Victims victims_;
  std::optional<test::DiskLoad> hostage_;      // bob's, where a driver attacks
  std::vector<bench::ServerProcess> servers_;  // as they were in the beginning
  pid_t attacker_ = 0;                         // in the beginning
};

}  // namespace cede::attack
