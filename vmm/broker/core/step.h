// SPDX-License-Identifier: Apache-2.0
// The broker's core: one pure function from a state and an action to a state, effects, an answer.
//
// Total: any action in any state is answered, and one that is not permitted changes nothing. Not
// reentrant, keeps nothing between calls, allocates nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <tuple>

#include "vmm/broker/core/domains.h"
#include "vmm/broker/core/sessions.h"

namespace cede::broker {

// No session may connect from here on, not even one that is on its way.
Outcome seal_system(auto& turn, std::uint32_t actor) {
  if (actor != kRoot) return {Status::NotPermitted};
  turn.state.sealed = 1;
  for (SessionRow& session : turn.state.sessions) {
    const bool stopped = session.connecting() && !turn.seeded(Mutation::SealLetsFinish);
    if (stopped) drain(turn, session, Status::Sealed);
  }
  return {};
}

// What a side of a session, or an ancestor of its client, says about it.
Outcome session_request(auto& turn, std::uint32_t actor, const Action& action) {
  using enum Action::Kind;
  SessionRow* session = turn.find(turn.state.sessions, action.subject);
  if (session == nullptr) return {Status::Stale};
  Party* party = party_of(*session, actor);
  const bool may_close = party != nullptr || turn.seeded(Mutation::AnyoneMayClose) ||
                         is_below(turn.state, session->client.domain, actor);
  if (action.kind == Close ? !may_close : party == nullptr) return {Status::NotPermitted};
  if (action.kind == Close) return {end(turn, *session, peers_reason(action.status))};
  if (action.kind == Mapped) return {mapped(turn, *session, *party)};
  if (action.kind == Refuse) return {refuse(turn, *session, *party, action.status)};
  return {release(turn, *session, *party)};
}

// What a domain asks for. The dead, and those ordered to be killed, are not listened to.
Outcome request(auto& turn, const Action& action) {
  using enum Action::Kind;
  const std::uint32_t actor = action.actor.index;
  if (turn.find(turn.state.domains, action.actor) == nullptr) return {Status::Gone};
  if (!turn.alive(actor) && !turn.seeded(Mutation::DeadMayAct)) return {Status::Gone};
  if (action.kind == CreateDomain) return create_domain(turn, actor, action.pages);
  if (action.kind == DestroyDomain) return destroy_domain(turn, actor, action.subject);
  if (action.kind == Fund) return fund(turn, actor, action);
  if (action.kind == GrantDevice) return grant_device(turn, actor, action);
  if (action.kind == RevokeGrant) return revoke_grant(turn, actor, action);
  if (action.kind == Connect) return connect(turn, actor, action);
  if (action.kind == SealSystem) return seal_system(turn, actor);
  return session_request(turn, actor, action);
}

// What the kernel says about a session's region.
Outcome result(auto& turn, const Action& action) {
  using enum Action::Kind;
  SessionRow* session = turn.find(turn.state.sessions, action.subject);
  if (session == nullptr) return {Status::Stale};
  if (action.kind == RegionMade) return {region_made(turn, *session, action.status)};
  if (action.kind == RegionSealed) return {region_sealed(turn, *session, action.status)};
  return {proven(turn, *session)};
}

// A drained session's proof is overdue: somebody holds pages, and the kernel does not say who.
// Returns who is to be killed, or kRoot for nobody.
//
// First a driver that has not said Release. If it has, somebody lies. No client can have a driver
// killed by lying: a living client is left alone with its own pages missing, and a dead one's
// process is killed before the driver's word is doubted.
[[nodiscard]] std::uint32_t suspect(auto& turn, const SessionRow& session) {
  const auto killed = [&](const Party& party) {
    return turn.state.domains[party.domain].life == Life::Killed;
  };
  const Party& client = session.client;
  const Party& driver = session.driver;
  if (driver.holds() && !killed(driver)) return driver.domain;
  const bool clients_turn = client.stage != Stage::Untold && !killed(client);
  if (clients_turn && !turn.seeded(Mutation::DriverBlamedFirst)) {
    return turn.alive(client.domain) ? kRoot : client.domain;
  }
  if (turn.seeded(Mutation::DriverBelievedForEver)) return kRoot;
  return driver.stage != Stage::Untold && !killed(driver) ? driver.domain : kRoot;
}

// Time passes; whoever overran it answers for it.
Outcome tick(auto& turn, std::uint32_t elapsed_ms) {
  auto& state = turn.state;
  // All are judged before anybody is killed: one session's end must not decide another's case.
  std::array<bool, std::tuple_size_v<decltype(state.domains)>> guilty{};
  for (SessionRow& session : state.sessions) {
    session.deadline_ms -= std::min(session.deadline_ms, elapsed_ms);
    const bool timed = session.used() && session.state != SessionState::Connected;
    if (!timed || session.deadline_ms != 0) continue;
    session.deadline_ms = state.drain_ms;
    if (session.connecting()) {
      drain(turn, session, Status::TimedOut);
    } else if (session.state == SessionState::Draining) {
      guilty[suspect(turn, session)] = true;
    } else if (!turn.seeded(Mutation::DeadlineWithoutKill)) {
      if (session.reason == Status::Ok) session.reason = Status::TimedOut;
      guilty[session.driver.domain] = true;
    }
  }
  for (std::uint32_t domain = kRoot + 1; domain < guilty.size(); ++domain) {
    if (guilty[domain]) kill(turn, domain);
  }
  return {};
}

// `out` holds this step's effects afterwards, and nothing of an earlier step.
template <class Limits, Mutation kSeed = Mutation::None>
Outcome step(State<Limits>& state, const Action& action, Effects<Limits>& out) noexcept {
  using enum Action::Kind;
  out.clear();
  Turn<Limits, kSeed> turn{state, out};
  if (action.kind > Tick) return {Status::Invalid};
  if (action.kind == Tick) return tick(turn, action.elapsed_ms);
  if (action.kind == DomainDied) return domain_died(turn, action.subject);
  return action.kind <= SealSystem ? request(turn, action) : result(turn, action);
}

}  // namespace cede::broker
