// SPDX-License-Identifier: Apache-2.0
// One attack on one system: before it, during it and after it, and what is to be held against the
// system.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tests/attack/arena.h"

namespace cede::attack {

struct TrialPlan {
  System system = System::Donated;
  // A folder of programs that go before the sound ones, each with something wrong: an attack on
  // them has to be found to work. Nothing: all are sound.
  std::string weakened{};
  std::chrono::milliseconds phase{1000};
  // Whether figures that depend on the machine's other work are judged: the victims' throughput
  // and latency. Never in a test.
  bool judges_speed = true;
};

// What speaks against the system: nothing, nothing but its victims' speed, or more.
enum class Outcome { Held, Slowed, Failed };

[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;

struct Trial {
  const Attack* attack = nullptr;
  TrialPlan plan;
  // Without an attack, beside an honest neighbour that uses its disk and its processors at full
  // rate, and beside one that has nothing to do. The victim's fair share is the less of the two: a
  // driver that is busy for somebody else answers sooner than one that has gone to sleep, so an
  // attacker that is idle would seem to harm.
  Phase before;
  Phase after;
  Phase during;
  Findings findings;
  std::int64_t pages_unaccounted = 0;
  std::vector<std::string> failures;  // none: it held
  std::size_t slow = 0;               // of the failures, those of speed

  [[nodiscard]] Outcome outcome() const noexcept;
  [[nodiscard]] bool held() const noexcept { return outcome() == Outcome::Held; }
  // Of the victim's disk during the attack, by that without it; of the echoes where there is none.
  [[nodiscard]] double throughput_ratio() const;
  [[nodiscard]] double disk_p99_ratio() const;
  [[nodiscard]] double network_p99_ratio() const;
};

// Is there such an attack on that system?
[[nodiscard]] bool applies(const Attack& attack, System system) noexcept;

// What fails is in the Trial, be it the attack or its system. The machine may do other things in
// any one measurement: where nothing but speed speaks against the system, the attack is tried
// again, and two of three decide.
[[nodiscard]] Trial try_attack(const Attack& attack, const TrialPlan& plan);

}  // namespace cede::attack
