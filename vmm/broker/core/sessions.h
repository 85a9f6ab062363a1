// SPDX-License-Identifier: Apache-2.0
// A session's way from Connect to Closed. The states are described in protocols/session.h.
//
// Escrowed is passed within one step: the region is offered as soon as it is made.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "vmm/broker/core/tree.h"

namespace cede::broker {

// The book of the client that a session's pages stand in.
[[nodiscard]] std::uint32_t& booked(auto& state, const SessionRow& session) {
  DomainRow& client = state.domains[session.client.domain];
  return session.lent ? client.lent : client.escrow;
}

// The pages are free: the client's again, or its nearest living ancestor's.
void pay_back(auto& state, SessionRow& session) {
  booked(state, session) -= session.pages;
  bring_home(state, session.client.domain, session.pages);
  session = {.generation = session.generation};
}

// Asks each side that has something of the region to let go of it.
void tell_closing(auto& turn, const SessionRow& session) {
  for (const Party& party : {session.driver, session.client}) {
    if (!party.holds()) continue;
    turn.tell(party.domain, Effect::Kind::TellClosing, turn.handle(session), session.reason);
  }
}

// The broker lets go, and waits for the proof that everybody did. News about a session that drains
// already (a side's word, a death, a kill) gives the proof its full time anew.
Status drain(auto& turn, SessionRow& session, Status why) {
  session.deadline_ms = turn.state.drain_ms;
  if (session.state == SessionState::Draining) return Status::Ok;
  if (session.reason == Status::Ok) session.reason = why;
  if (session.state != SessionState::Closing) tell_closing(turn, session);
  session.state = SessionState::Draining;
  turn.out.add({.kind = Effect::Kind::LetGo, .subject = turn.handle(session)});
  if (turn.seeded(Mutation::PaidAtLetGo)) pay_back(turn.state, session);
  return Status::Ok;
}

// Ends a session in the way that its state allows: what never was connected rolls back, what is
// waits for the driver to let go.
Status end(auto& turn, SessionRow& session, Status why) {
  if (session.connecting()) return drain(turn, session, why);
  if (session.state != SessionState::Connected) return Status::WrongState;
  session.state = SessionState::Closing;
  session.reason = why;
  session.deadline_ms = turn.state.drain_ms;
  tell_closing(turn, session);
  return Status::Ok;
}

// The side of a session that `actor` is, or null. To a driver a session exists from its Offer on.
[[nodiscard]] inline Party* party_of(SessionRow& session, std::uint32_t actor) {
  if (session.client.domain == actor) return &session.client;
  const bool driver = session.driver.domain == actor && session.driver.stage != Stage::Untold;
  return driver ? &session.driver : nullptr;
}

// A peer's reason is passed on only if it is one.
[[nodiscard]] constexpr Status peers_reason(Status said) {
  return said <= Status::Broken ? said : Status::Broken;
}

// Is the session on the device that is granted, whoever its client is?
[[nodiscard]] inline bool is_on(const SessionRow& session, const GrantRow& grant) {
  return session.used() && session.driver.domain == grant.driver && session.device == grant.device;
}

// Until the last session on a device is Closed, its client could still write where the next one
// does not expect it: through requests that the driver has not answered yet.
[[nodiscard]] bool is_busy(const auto& state, const GrantRow& grant) {
  return std::ranges::any_of(state.sessions, [&](auto& session) { return is_on(session, grant); });
}

Outcome connect(auto& turn, std::uint32_t actor, const Action& action) {
  auto& state = turn.state;
  if (state.sealed != 0 && !turn.seeded(Mutation::SealForgetsConnect)) return {Status::Sealed};
  const GrantRow* grant = turn.find(state.grants, action.subject);
  if (grant == nullptr) return {Status::Stale};
  if (grant->client != actor) return {Status::NotPermitted};
  const bool region_size = std::has_single_bit(action.pages) && action.pages <= Geometry::kMaxPages;
  if (!region_size) return {Status::Invalid};
  if (is_busy(state, *grant) && !turn.seeded(Mutation::DeviceShared)) return {Status::Busy};
  DomainRow& payer = state.domains[turn.seeded(Mutation::DriverPays) ? grant->driver : actor];
  if (payer.account < action.pages) return {Status::Overdrawn};
  const auto client_of = [](const SessionRow& row) { return row.client.domain; };
  SessionRow* session = take(turn, state.sessions, actor, state.limits.kBranchSessions, client_of);
  if (session == nullptr) return {Status::Full};

  payer.account -= action.pages;
  state.domains[actor].escrow += action.pages;
  session->state = SessionState::Requested;
  session->client.domain = actor;
  session->driver.domain = grant->driver;
  session->device = grant->device;
  session->pages = action.pages;
  session->deadline_ms = state.connect_ms;
  turn.out.add({.kind = Effect::Kind::MakeRegion, .subject = turn.handle(*session)});
  return {Status::Ok, turn.handle(*session)};
}

Status offer(auto& turn, const SessionRow& session, Party& party) {
  party.stage = Stage::Offered;
  turn.tell(party.domain, Effect::Kind::Offer, turn.handle(session));
  return Status::Ok;
}

Status region_made(auto& turn, SessionRow& session, Status made) {
  if (session.state != SessionState::Requested) return Status::WrongState;
  if (made != Status::Ok) return drain(turn, session, made);
  session.state = SessionState::Offered;
  return offer(turn, session, session.driver);
}

Status mapped(auto& turn, SessionRow& session, Party& party) {
  const bool asked = session.state == SessionState::Offered && party.stage == Stage::Offered;
  if (!asked) return Status::WrongState;
  party.stage = Stage::Mapped;
  if (&party == &session.driver) return offer(turn, session, session.client);
  turn.out.add({.kind = Effect::Kind::SealRegion, .subject = turn.handle(session)});
  return Status::Ok;
}

Status refuse(auto& turn, SessionRow& session, Party& party, Status why) {
  if (&party != &session.driver) return Status::NotPermitted;
  const bool asked = session.state == SessionState::Offered && party.stage == Stage::Offered;
  if (!asked) return Status::WrongState;
  party.stage = Stage::Out;
  if (turn.seeded(Mutation::RefusalLeavesEscrow)) return Status::Ok;
  return drain(turn, session, why == Status::Ok ? Status::Refused : peers_reason(why));
}

Status region_sealed(auto& turn, SessionRow& session, Status sealed) {
  const bool asked =
      session.state == SessionState::Offered && session.client.stage == Stage::Mapped;
  if (!asked) return Status::WrongState;
  const bool holds = sealed == Status::Ok || turn.seeded(Mutation::FailedSealConnects);
  if (!holds) return drain(turn, session, sealed);
  if (!turn.seeded(Mutation::EscrowStaysOnConnect)) booked(turn.state, session) -= session.pages;
  session.lent = true;
  if (!turn.seeded(Mutation::EscrowStaysOnConnect)) booked(turn.state, session) += session.pages;
  session.state = SessionState::Connected;
  session.deadline_ms = 0;
  turn.tell(session.driver.domain, Effect::Kind::TellConnected, turn.handle(session));
  turn.tell(session.client.domain, Effect::Kind::TellConnected, turn.handle(session));
  return Status::Ok;
}

// The driver's word ends the session's use. The client's does not: the driver may be at work on
// the pages, and is asked first.
Status release(auto& turn, SessionRow& session, Party& party) {
  if (!party.holds()) return Status::WrongState;
  party.stage = Stage::Out;
  const bool closing = session.state == SessionState::Closing;
  if (&party == &session.driver || turn.seeded(Mutation::ClientReleaseSuffices)) {
    return drain(turn, session, closing ? Status::Ok : Status::Gone);
  }
  end(turn, session, Status::Gone);
  return Status::Ok;
}

Status proven(auto& turn, SessionRow& session) {
  if (session.state != SessionState::Draining) return Status::WrongState;
  const SessionRow ended = session;
  pay_back(turn.state, session);
  for (const Party& party : {ended.client, ended.driver}) {
    const bool knows = party.stage != Stage::Untold || party.domain == ended.client.domain;
    if (knows) {
      turn.tell(party.domain, Effect::Kind::TellClosed, turn.handle(session), ended.reason);
    }
    reap(turn.state, party.domain);
  }
  return Status::Ok;
}

}  // namespace cede::broker
