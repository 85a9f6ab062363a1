// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "tests/attack/peer_arena.h"

namespace cede::attack {
namespace {

constexpr double kFairShare = 0.8;
constexpr double kLatencyFactor = 3.0;
// What a program may keep after an attack, its allocator's pools among it.
constexpr double kMemoryKept = 4096;  // KiB
constexpr std::size_t kDescriptorsKept = 2;

double ratio(double value, double base) {
  return base > 0 ? value / base : 0;
}

void judge_holdings(std::string_view whose, const Holdings& before, const Holdings& after,
                    std::vector<std::string>& failures) {
  if (after.memory_kib > before.memory_kib + kMemoryKept) {
    failures.push_back(
        fmt::format("the {} kept {:.0f} KiB", whose, after.memory_kib - before.memory_kib));
  }
  if (after.descriptors > before.descriptors + kDescriptorsKept) {
    failures.push_back(
        fmt::format("the {} kept {} descriptors", whose, after.descriptors - before.descriptors));
  }
}

void hold_slowness_against(Trial& trial, std::string why) {
  trial.failures.push_back(std::move(why));
  ++trial.slow;
}

// A late echo counts as lost, and how late it may be is a matter of speed.
void judge_echoes(const Phase& phase, Trial& trial) {
  if (const std::uint64_t lost = phase.victim.network.errors; lost > 0) {
    hold_slowness_against(trial, fmt::format("{} of the victims' echoes are lost", lost));
  }
}

void judge_speed(Trial& trial) {
  if (const double share = trial.throughput_ratio(); share < kFairShare) {
    hold_slowness_against(
        trial, fmt::format("the victim's {} had {:.0f} % of its fair share",
                           has_disk(trial.plan.system) ? "disk" : "network", share * 100));
  }
  if (const double factor = trial.disk_p99_ratio(); factor > kLatencyFactor) {
    hold_slowness_against(trial,
                          fmt::format("the victim's disk took {:.1f} times as long", factor));
  }
  judge_echoes(trial.before, trial);
  judge_echoes(trial.after, trial);
  if (trial.attack->keeps_frames_out) return;
  judge_echoes(trial.during, trial);
  if (const double factor = trial.network_p99_ratio(); factor > kLatencyFactor) {
    hold_slowness_against(trial,
                          fmt::format("the victim's echoes took {:.1f} times as long", factor));
  }
}

template <class Place>
void judge(Trial& trial, Place& arena) {
  const auto fail = [&](std::string why) { trial.failures.push_back(std::move(why)); };
  for (const std::string& what : trial.findings.broke) fail(what);
  for (const std::string& server : arena.lost_servers()) fail(server + " died");
  for (const Phase* phase : {&trial.before, &trial.during, &trial.after}) {
    if (const std::uint64_t errors = phase->victim.disk.errors; errors > 0) {
      fail(fmt::format("{} errors of the victim's disk", errors));
    }
  }
  if (trial.pages_unaccounted != 0) {
    fail(fmt::format("{} pages are in nobody's books", trial.pages_unaccounted));
  }
  judge_holdings("drivers", trial.before.drivers, trial.after.drivers, trial.failures);
  judge_holdings("broker", trial.before.broker, trial.after.broker, trial.failures);
  if (trial.plan.judges_speed) judge_speed(trial);
}

template <class Place>
void run(Place& arena, Trial& trial) {
  // What has to become of the attacker is for Cede: a peer may do as it likes.
  const Fate fate = std::is_same_v<Place, Arena> ? trial.attack->fate : Fate::Either;
  trial.before = arena.measure(trial.plan.phase);
  arena.begin_attack();
  trial.during = arena.measure(trial.plan.phase);
  if (!trial.attack->keeps_frames_out) arena.await_echo();
  if (fate == Fate::CutOff) arena.await_cut_off();
  trial.findings = arena.heard();
  // It need not have noticed.
  const bool cut_off =
      trial.findings.cut_off_ms || arena.attacker_is_gone() || arena.attacker_is_rejected();
  if (fate == Fate::CutOff && !cut_off) trial.failures.emplace_back("the attacker was not cut off");
  if (fate == Fate::Stays && trial.findings.gave_up) {
    trial.failures.push_back("the attacker gave up: " + *trial.findings.gave_up);
  }
  if (fate == Fate::Stays && cut_off) trial.failures.emplace_back("the attacker was cut off");
  arena.end_attack();
  if (!arena.settles()) trial.failures.emplace_back("the attacker's pages do not come home");
  trial.after = arena.measure(trial.plan.phase);
  arena.await_echo();
  trial.pages_unaccounted = arena.pages_unaccounted();
  for (const std::string& what : arena.damage()) trial.failures.push_back(what);
}

template <class Place>
void hold(Place& arena, Trial& trial) {
  try {
    run(arena, trial);
    judge(trial, arena);
  } catch (const std::runtime_error& error) {
    trial.findings = arena.heard();
    trial.failures.emplace_back(error.what());
    for (const std::string& server : arena.lost_servers()) {
      trial.failures.push_back(server + " died");
    }
  }
}

Trial try_once(const Attack& attack, const TrialPlan& plan) {
  Trial trial;
  trial.attack = &attack;
  trial.plan = plan;
  try {
    if (is_peer(plan.system)) {
      PeerArena arena(attack, plan.system);
      hold(arena, trial);
    } else {
      Arena arena(attack, plan.system, plan.weakened);
      hold(arena, trial);
    }
  } catch (const std::runtime_error& error) {
    trial.failures.push_back(fmt::format("it cannot be tried: {}", error.what()));
  }
  return trial;
}

}  // namespace

bool applies(const Attack& attack, System system) noexcept {
  switch (system) {
    case System::QemuStorageDaemon:
      return attack.on_vhost_user != nullptr;
    case System::DpdkNetVhost:
      return attack.on_vhost_user_net != nullptr;
    default:
      return true;
  }
}

std::string_view to_string(Outcome outcome) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"held", "slowed", "failed"};
  return kNames[static_cast<std::size_t>(outcome)];
}

Outcome Trial::outcome() const noexcept {
  if (failures.empty()) return Outcome::Held;
  return slow == failures.size() ? Outcome::Slowed : Outcome::Failed;
}

double Trial::throughput_ratio() const {
  const auto rate = [this](const Phase& phase) {
    return has_disk(plan.system) ? phase.victim.disk.iops() : phase.victim.network.rate;
  };
  return ratio(rate(during), std::min(rate(before), rate(after)));
}

double Trial::disk_p99_ratio() const {
  return ratio(during.victim.disk.percentile(0.99),
               std::max(before.victim.disk.percentile(0.99), after.victim.disk.percentile(0.99)));
}

double Trial::network_p99_ratio() const {
  return ratio(during.victim.network.p99,
               std::max(before.victim.network.p99, after.victim.network.p99));
}

Trial try_attack(const Attack& attack, const TrialPlan& plan) {
  Trial first = try_once(attack, plan);
  if (first.outcome() != Outcome::Slowed) return first;
  Trial second = try_once(attack, plan);
  return second.held() ? try_once(attack, plan) : second;
}

}  // namespace cede::attack
