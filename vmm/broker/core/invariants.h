// SPDX-License-Identifier: Apache-2.0
// What must hold in every state of the core and of every step between two states.
//
// Written against the tables alone and not with the core's own functions, so that a mistake there
// is not repeated here. The model explorer, the random walks and the fuzzer check all of it after
// every step; the shell checks conservation() as it goes.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vmm/broker/core/invariants_of_states.h"
#include "vmm/broker/core/invariants_of_steps.h"

namespace cede::broker {

enum class Invariant : std::uint8_t {
  Conservation = 1,
  OneOwner = 2,
  NoRevoke = 3,
  BoundedReturn = 4,
  AtomicConnect = 5,
  NoReuseBeforeProof = 6,
  Generations = 7,
  Quota = 8,
  Frame = 9,
  StaticSeal = 10,
  OneSessionADevice = 11,
  Granted = 12,
};

inline constexpr std::array<std::string_view, 13> kInvariantNames = {"",
                                                                     "conservation",
                                                                     "one owner",
                                                                     "no revoke",
                                                                     "bounded return",
                                                                     "atomic connect",
                                                                     "no reuse before proof",
                                                                     "generations",
                                                                     "quota",
                                                                     "frame",
                                                                     "static seal",
                                                                     "one session a device",
                                                                     "granted"};

using InvariantSet = std::bitset<kInvariantNames.size()>;

// Every invariant that the step from `before` to `after` breaks.
[[nodiscard]] InvariantSet broken(const auto& before, const Action& action,
                                  const auto& after) noexcept {
  InvariantSet set;
  const auto note = [&](Invariant invariant, bool holds) {
    set.set(static_cast<std::size_t>(invariant), !holds);
  };
  note(Invariant::Conservation, conservation(after));
  note(Invariant::OneOwner, one_owner(after));
  note(Invariant::NoRevoke, no_revoke(before, action, after));
  note(Invariant::BoundedReturn, bounded_return(after));
  note(Invariant::AtomicConnect, atomic_connect(before, action, after));
  note(Invariant::NoReuseBeforeProof, no_reuse_before_proof(before, action, after));
  note(Invariant::Generations, generations(before, action, after));
  note(Invariant::Quota, quota(before, action, after));
  note(Invariant::Frame, frame(before, action, after));
  note(Invariant::StaticSeal, static_seal(before, after));
  note(Invariant::OneSessionADevice, one_session_a_device(after));
  note(Invariant::Granted, granted(after));
  return set;
}

}  // namespace cede::broker
