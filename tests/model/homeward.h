// SPDX-License-Identifier: Apache-2.0
// Bounded return, tried: from a given world, can everybody but the drivers bring every page home?
//
// A driver does nothing on this walk, and holds what it holds until a kill was ordered, whatever it
// has said. A client does what it can: closes, lets go, and dies if that does not help.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/model/world.h"

namespace cede::broker::model {

// No way home is as long as this, or it does not end.
inline constexpr std::size_t kFarEnough = 1000;

struct Homeward {
  bool arrived = false;
  std::vector<Move> moves;
};

// What somebody else than a driver can do next for session `index`, if it is not time alone.
template <class Limits>
[[nodiscard]] std::optional<Move> helpful_move(const World<Limits>& world, std::uint32_t index) {
  const SessionRow& session = world.state.sessions[index];
  const std::uint32_t holders = world.holders[index];
  const Handle handle = handle_at(world.state.sessions, index);
  const auto answer = [&](Action::Kind kind, Status status) {
    return Move{.action = {.kind = kind, .status = status, .subject = handle}};
  };
  const auto let_go = [&](std::uint32_t holder) {
    return Move{.action = {.subject = handle}, .lets_go = holder};
  };
  if ((holders & kMaking) != 0) return answer(Action::Kind::RegionMade, Status::NoMemory);
  if ((holders & kSealing) != 0) return answer(Action::Kind::RegionSealed, Status::IoError);
  if (session.state == SessionState::Connected) {
    const Handle client = handle_at(world.state.domains, session.client.domain);
    return Move{.action = {.kind = Action::Kind::Close, .actor = client, .subject = handle}};
  }
  if (session.state != SessionState::Draining) return std::nullopt;
  if (holders == 0) return answer(Action::Kind::Proven, Status::Ok);
  if ((holders & kClient) != 0) return let_go(kClient);
  const bool killed = world.state.domains[session.driver.domain].life == Life::Killed;
  if ((holders & kDriver) != 0 && killed) return let_go(kDriver);
  return std::nullopt;
}

template <class Limits>
[[nodiscard]] std::optional<Move> next_homeward(const World<Limits>& world, bool patience) {
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    if (!world.state.sessions[index].used()) continue;
    if (std::optional<Move> move = helpful_move(world, index)) return move;
  }
  if (patience) {
    const std::uint32_t deadline = std::max(world.state.connect_ms, world.state.drain_ms);
    return Move{.action = {.kind = Action::Kind::Tick, .elapsed_ms = deadline}};
  }
  for (const SessionRow& session : world.state.sessions) {
    if (!session.used()) continue;
    if (world.state.domains[session.client.domain].life != Life::Alive) continue;
    const Handle client = handle_at(world.state.domains, session.client.domain);
    return Move{.action = {.kind = Action::Kind::DomainDied, .subject = client}};
  }
  return std::nullopt;
}

// Walks home, or to where nothing helps any more. The moves are not judged: they are among those
// that an exploration makes from each of these worlds.
template <class Limits>
[[nodiscard]] Homeward walk_home(World<Limits> world, StepFunction<Limits> step,
                                 Effects<Limits>& effects) {
  // Each tick is a whole deadline, and after a deadline without a proof somebody is killed: the
  // driver, what is left of a dead client, a driver that lied. Nothing comes of waiting longer.
  constexpr std::uint32_t kPatience = 4;
  Homeward walk;
  std::uint32_t waited = 0;
  for (;;) {
    bool home = true;
    for (const SessionRow& session : world.state.sessions) home = home && !session.used();
    if (home) {
      walk.arrived = invariant_detail::accounts_of(world.state) == world.state.budget;
      return walk;
    }
    const std::optional<Move> move = next_homeward(world, waited < kPatience);
    if (!move || walk.moves.size() == kFarEnough) return walk;
    waited = move->action.kind == Action::Kind::Tick && move->lets_go == 0 ? waited + 1 : 0;
    walk.moves.push_back(*move);
    advance(world, *move, step, effects);
  }
}

}  // namespace cede::broker::model
