// SPDX-License-Identifier: Apache-2.0
// The core together with what is true outside of it: who really holds a region.
//
// The core believes messages until the kernel's proof. Here everybody may lie: say Release and keep
// the region, close the socket and live on. So the truth is kept apart, and a proof is possible
// only where a real kernel could give one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "vmm/broker/core/invariants.h"
#include "vmm/broker/core/step.h"

namespace cede::broker::model {

// Of one session row.
enum Holder : std::uint32_t {
  kMaking = 1,   // the shell is making the region and has not answered
  kSealing = 2,  // the shell is sealing it and has not answered
  kDriver = 4,   // the driver's process holds the region, or a message to it does
  kClient = 8,   // the client's
};

template <class Limits>
struct World {
  State<Limits> state;
  std::array<std::uint32_t, Limits::kSessions> holders{};

  friend bool operator==(const World&, const World&) = default;
};

// One thing that happens: an action for the core, or a process that really lets go of a region,
// of which the core learns by the proof alone.
struct Move {
  Action action;
  std::uint32_t lets_go = 0;  // kDriver or kClient of the session row action.subject.index
};

template <class Limits>
using StepFunction = Outcome (*)(State<Limits>&, const Action&, Effects<Limits>&) noexcept;

// What went wrong in a move: the invariants, and bit 0 for an effect that no shell could carry out.
using Violations = InvariantSet;
inline constexpr std::size_t kBadEffects = 0;

[[nodiscard]] inline std::string to_string(const Violations& violations) {
  std::string text;
  for (std::size_t bit = 0; bit < violations.size(); ++bit) {
    if (!violations[bit]) continue;
    if (!text.empty()) text += ", ";
    text += bit == kBadEffects ? "effects" : std::string(kInvariantNames[bit]);
  }
  return text.empty() ? "nothing" : text;
}

// Nobody is told anything who is dead or dropped already, and everything is done once.
template <class Limits>
[[nodiscard]] bool effects_make_sense(const State<Limits>& before, const State<Limits>& after,
                                      const Effects<Limits>& effects) {
  std::array<bool, Limits::kDomains> dropped{};
  std::array<bool, Limits::kSessions> let_go{};
  for (const Effect& effect : effects) {
    const std::uint32_t domain = effect.domain.index;
    const std::uint32_t subject = effect.subject.index;
    const auto living = [&] {
      return effect.domain == handle_at(before.domains, domain) &&
             before.domains[domain].life == Life::Alive && !dropped[domain];
    };
    switch (effect.kind) {
      case Effect::Kind::LetGo:
        if (let_go[subject] || before.sessions[subject].state == SessionState::Draining) {
          return false;
        }
        let_go[subject] = true;
        break;
      case Effect::Kind::Kill:
        if (before.domains[domain].life == Life::Killed) return false;
        break;
      case Effect::Kind::DropDomain:
        if (!living()) return false;
        dropped[domain] = true;
        break;
      case Effect::Kind::MakeRegion:
      case Effect::Kind::SealRegion:
        if (!after.sessions[subject].connecting()) return false;
        break;
      case Effect::Kind::TellRevoked:
      case Effect::Kind::TellGranted:
      case Effect::Kind::Offer:
      case Effect::Kind::TellConnected:
      case Effect::Kind::TellClosing:
      case Effect::Kind::TellClosed:
        if (!living()) return false;
        break;
    }
  }
  return true;
}

// Who comes to hold the region of a session by the shell's work.
template <class Limits>
void follow(World<Limits>& world, const Action& action, const Effects<Limits>& effects) {
  const auto answered = [&](std::uint32_t holder) {
    if (action.subject.index < Limits::kSessions) world.holders[action.subject.index] &= ~holder;
  };
  if (action.kind == Action::Kind::RegionMade) answered(kMaking);
  if (action.kind == Action::Kind::RegionSealed) answered(kSealing);
  for (const Effect& effect : effects) {
    const std::uint32_t index = effect.subject.index;
    if (effect.kind == Effect::Kind::MakeRegion) world.holders[index] |= kMaking;
    if (effect.kind == Effect::Kind::SealRegion) world.holders[index] |= kSealing;
    if (effect.kind == Effect::Kind::Offer) {
      const bool driver = world.state.sessions[index].driver.domain == effect.domain.index;
      world.holders[index] |= driver ? kDriver : kClient;
    }
  }
}

// Carries out `move` on `world`.
template <class Limits>
Outcome advance(World<Limits>& world, const Move& move, StepFunction<Limits> step,
                Effects<Limits>& effects) {
  effects.clear();
  if (move.lets_go != 0) {
    world.holders[move.action.subject.index] &= ~move.lets_go;
    return {};
  }
  const Outcome outcome = step(world.state, move.action, effects);
  follow(world, move.action, effects);
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    if (!world.state.sessions[index].used()) world.holders[index] = 0;
  }
  return outcome;
}

// What the move from `before` to `after` broke.
template <class Limits>
[[nodiscard]] Violations judge(const World<Limits>& before, const Move& move,
                               const World<Limits>& after, const Effects<Limits>& effects) {
  if (move.lets_go != 0) return {};
  Violations violations = broken(before.state, move.action, after.state);
  violations.set(kBadEffects, !effects_make_sense(before.state, after.state, effects));
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    const bool ended = before.state.sessions[index].used() && !after.state.sessions[index].used();
    const bool held = (before.holders[index] & (kDriver | kClient)) != 0;
    if (ended && held) violations.set(static_cast<std::size_t>(Invariant::NoReuseBeforeProof));
  }
  return violations;
}

// No action is about generations but by the comparison with the row's own. So they are folded to
// one for free rows and two for used ones: an older name, 1, stays expressible.
template <class Limits>
void fold_generations(World<Limits>& world) {
  const auto fold = [](auto& rows) {
    for (auto& row : rows) row.generation = row.used() ? 2 : 1;
  };
  fold(world.state.domains);
  fold(world.state.grants);
  fold(world.state.sessions);
}

// Worlds that differ only in what no decision depends on are one: in the reasons that sessions
// carry along, and in which session has which row.
template <class Limits>
void canonicalise(World<Limits>& world) {
  fold_generations(world);
  struct Row {
    SessionRow session;
    std::uint32_t holders = 0;
  };
  static_assert(std::has_unique_object_representations_v<Row>);
  std::array<Row, Limits::kSessions> rows;
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    world.state.sessions[index].reason = Status::Ok;
    rows[index] = {world.state.sessions[index], world.holders[index]};
  }
  std::ranges::sort(rows, [](const auto& left, const auto& right) {
    return std::memcmp(&left, &right, sizeof left) > 0;  // rows in use first
  });
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    world.state.sessions[index] = rows[index].session;
    world.holders[index] = rows[index].holders;
  }
}

}  // namespace cede::broker::model
