// SPDX-License-Identifier: Apache-2.0
// Domains: made, funded, granted devices, and what their death does to everything they had.
#pragma once

#include <cstdint>
#include <utility>

#include "vmm/broker/core/sessions.h"

namespace cede::broker {

Outcome create_domain(auto& turn, std::uint32_t actor, std::uint32_t pages) {
  auto& state = turn.state;
  if (state.sealed != 0) return {Status::Sealed};
  if (state.domains[actor].account < pages) return {Status::Overdrawn};
  const auto itself = [&](const DomainRow& row) { return turn.handle(state.domains, row).index; };
  DomainRow* child = take(turn, state.domains, actor, state.limits.kBranchDomains, itself);
  if (child == nullptr) return {Status::Full};

  child->parent = actor;
  child->life = Life::Alive;
  const Handle handle = turn.handle(state.domains, *child);
  give(state, actor, handle.index, pages);
  return {Status::Ok, handle};
}

Outcome fund(auto& turn, std::uint32_t actor, const Action& action) {
  auto& state = turn.state;
  if (state.sealed != 0) return {Status::Sealed};
  const DomainRow* child = turn.find(state.domains, action.subject);
  if (child == nullptr) return {Status::Stale};
  if (action.subject.index == kRoot || child->parent != actor) return {Status::NotPermitted};
  if (child->life != Life::Alive) return {Status::Gone};
  if (action.pages == 0) return {Status::Invalid};
  if (state.domains[actor].account < action.pages) return {Status::Overdrawn};
  give(state, actor, action.subject.index, action.pages);
  return {};
}

// Authority flows down only: nobody grants to itself or offers itself.
Outcome grant_device(auto& turn, std::uint32_t actor, const Action& action) {
  auto& state = turn.state;
  if (state.sealed != 0) return {Status::Sealed};
  for (const Handle& handle : {action.subject, action.object}) {
    const DomainRow* row = turn.find(state.domains, handle);
    if (row == nullptr) return {Status::Stale};
    if (!is_below(state, handle.index, actor)) return {Status::NotPermitted};
    if (row->life != Life::Alive) return {Status::Gone};
  }
  if (action.subject == action.object) return {Status::Invalid};
  const auto client_of = [](const GrantRow& row) { return row.client; };
  GrantRow* grant = take(turn, state.grants, actor, state.limits.kBranchGrants, client_of);
  if (grant == nullptr) return {Status::Full};

  *grant = {grant->generation, action.subject.index, action.object.index, action.device};
  const Handle handle = turn.handle(state.grants, *grant);
  turn.tell(grant->client, Effect::Kind::TellGranted, handle);
  return {Status::Ok, handle};
}

// A grant ends, and its client hears of it.
void withdraw(auto& turn, GrantRow& grant) {
  turn.tell(grant.client, Effect::Kind::TellRevoked, turn.handle(turn.state.grants, grant));
  grant = {.generation = grant.generation};
}

// Who may give a grant may take it back, whoever gave it. The client's session on the device closes
// as if the client had asked for it: its driver is asked to let go, and has its time for that.
Outcome revoke_grant(auto& turn, std::uint32_t actor, const Action& action) {
  auto& state = turn.state;
  GrantRow* grant = turn.find(state.grants, action.subject);
  if (grant == nullptr) return {Status::Stale};
  const bool above = is_below(state, grant->client, actor) && is_below(state, grant->driver, actor);
  if (!above && !turn.seeded(Mutation::AnyoneMayRevoke)) return {Status::NotPermitted};
  for (SessionRow& session : state.sessions) {
    const bool ends = is_on(session, *grant) && session.client.domain == grant->client;
    const Status why = peers_reason(action.status);
    if (ends && !turn.seeded(Mutation::RevocationSpares)) end(turn, session, why);
    if (ends && turn.seeded(Mutation::RevocationSeizes)) drain(turn, session, Status::Ok);
  }
  withdraw(turn, *grant);
  return {};
}

// What a death, or the killing of what is left of the dead, means for the domain's sessions. A dead
// client's are closed as if it had asked for it: the driver may still be at work on the pages.
void abandon(auto& turn, std::uint32_t dead) {
  for (SessionRow& session : turn.state.sessions) {
    const bool client = session.client.domain == dead;
    if (!session.used() || (!client && session.driver.domain != dead)) continue;
    const bool waits = client && session.state != SessionState::Draining &&
                       !turn.seeded(Mutation::DestructionRevokes);
    waits ? end(turn, session, Status::Gone) : drain(turn, session, Status::Gone);
  }
}

// What a domain leaves behind. Precondition: it is Doomed, and all who die with it are or were.
void settle(auto& turn, std::uint32_t dead) {
  auto& state = turn.state;
  state.domains[dead].life = Life::Dying;
  const std::uint32_t unspent = std::exchange(state.domains[dead].account, 0);
  if (!turn.seeded(Mutation::DeathLosesAccount)) bring_home(state, dead, unspent);

  for (GrantRow& grant : state.grants) {
    if (grant.used() && (grant.client == dead || grant.driver == dead)) withdraw(turn, grant);
  }
  abandon(turn, dead);
  turn.out.add({.kind = Effect::Kind::DropDomain, .domain = handle_at(state.domains, dead)});
}

// The death of a domain is the death of all below it: nobody is left who answers for them.
// Precondition: it is alive.
void bury(auto& turn, std::uint32_t top) {
  auto& domains = turn.state.domains;
  for (std::uint32_t domain = 0; domain < domains.size(); ++domain) {
    const bool doomed = domain == top || is_below(turn.state, domain, top);
    if (doomed && turn.alive(domain)) domains[domain].life = Life::Doomed;
  }
  for (std::uint32_t domain = 0; domain < domains.size(); ++domain) {
    if (domains[domain].life == Life::Doomed) settle(turn, domain);
  }
  for (std::uint32_t domain = 0; domain < domains.size(); ++domain) reap(turn.state, domain);
}

Outcome domain_died(auto& turn, Handle subject) {
  if (turn.find(turn.state.domains, subject) == nullptr) return {Status::Stale};
  if (!turn.alive(subject.index)) return {Status::Gone};
  bury(turn, subject.index);
  return {};
}

Outcome destroy_domain(auto& turn, std::uint32_t actor, Handle subject) {
  if (turn.find(turn.state.domains, subject) == nullptr) return {Status::Stale};
  if (!is_below(turn.state, subject.index, actor)) return {Status::NotPermitted};
  return domain_died(turn, subject);
}

// Precondition: a session refers to the domain, and it was not killed before.
void kill(auto& turn, std::uint32_t domain) {
  auto& state = turn.state;
  const std::uint32_t asked = home_of(state, state.domains[domain].parent);
  turn.out.add({.kind = Effect::Kind::Kill,
                .domain = handle_at(state.domains, domain),
                .subject = handle_at(state.domains, asked)});
  turn.alive(domain) ? bury(turn, domain) : abandon(turn, domain);
  state.domains[domain].life = Life::Killed;
}

}  // namespace cede::broker
