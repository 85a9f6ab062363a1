// SPDX-License-Identifier: Apache-2.0
// Everything that can happen in a world: what domains ask for, honest or hostile, and what the
// shell, the kernel and time may answer there.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/model/world.h"

namespace cede::broker::model {

// Which part of it an exploration asks about; all else would multiply the states and show nothing.
struct Alphabet {
  std::vector<std::uint32_t> connect_pages;
  std::vector<std::uint32_t> give_pages;  // CreateDomain and Fund; empty: the tree cannot grow
  std::vector<std::uint32_t> devices;     // GrantDevice; empty: no new grants
  bool destroy = true;
  bool revoke = true;
  bool seal = true;
  bool hostile = true;  // old, free, made-up and other people's handles, and the dead as actors
};

// The names under which rows can be addressed: each row's own, and if somebody is hostile that of
// free rows, an older name of a row in use, and one of no row.
template <class Rows>
[[nodiscard]] std::vector<Handle> names_of(const Rows& rows, bool hostile) {
  std::vector<Handle> names;
  Handle used;
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (rows[index].used()) used = handle_at(rows, index);
    if (rows[index].used() || hostile) names.push_back(handle_at(rows, index));
  }
  if (!hostile) return names;
  names.push_back({used.index, used.generation - 1});
  names.push_back({static_cast<std::uint32_t>(rows.size()), 2});
  return names;
}

template <class Limits>
void for_each_session_move(const World<Limits>& world, auto&& visit) {
  for (std::uint32_t index = 0; index < Limits::kSessions; ++index) {
    const SessionRow& session = world.state.sessions[index];
    if (!session.used()) continue;
    const std::uint32_t holders = world.holders[index];
    const Handle handle = handle_at(world.state.sessions, index);
    const auto answer = [&](Action::Kind kind, Status status) {
      visit(Move{.action = {.kind = kind, .status = status, .subject = handle}});
    };
    if ((holders & kMaking) != 0) {
      answer(Action::Kind::RegionMade, Status::Ok);
      answer(Action::Kind::RegionMade, Status::NoMemory);
    }
    if ((holders & kSealing) != 0) {
      answer(Action::Kind::RegionSealed, Status::Ok);
      answer(Action::Kind::RegionSealed, Status::IoError);
    }
    if (session.state != SessionState::Draining) continue;
    if (holders == 0) answer(Action::Kind::Proven, Status::Ok);
    for (const std::uint32_t holder : {kDriver, kClient}) {
      if ((holders & holder) != 0) visit(Move{.action = {.subject = handle}, .lets_go = holder});
    }
  }
}

template <class Limits>
void for_each_request(const World<Limits>& world, const Alphabet& alphabet, Handle actor,
                      auto&& visit) {
  using Kind = Action::Kind;
  const State<Limits>& state = world.state;
  const auto ask = [&](Action action) {
    action.actor = actor;
    visit(Move{.action = action});
  };
  for (const Handle grant : names_of(state.grants, alphabet.hostile)) {
    for (const std::uint32_t pages : alphabet.connect_pages) {
      ask({.kind = Kind::Connect, .subject = grant, .pages = pages});
    }
    if (alphabet.revoke) ask({.kind = Kind::RevokeGrant, .subject = grant});
  }
  for (const Handle session : names_of(state.sessions, alphabet.hostile)) {
    for (const Kind kind : {Kind::Mapped, Kind::Refuse, Kind::Close, Kind::Release}) {
      ask({.kind = kind, .subject = session});
    }
  }
  if (alphabet.seal) ask({.kind = Kind::SealSystem});

  const std::vector<Handle> domains = names_of(state.domains, alphabet.hostile);
  for (const std::uint32_t pages : alphabet.give_pages) {
    ask({.kind = Kind::CreateDomain, .pages = pages});
  }
  for (const Handle domain : domains) {
    if (alphabet.destroy) ask({.kind = Kind::DestroyDomain, .subject = domain});
    for (const std::uint32_t pages : alphabet.give_pages) {
      ask({.kind = Kind::Fund, .subject = domain, .pages = pages});
    }
    for (const std::uint32_t device : alphabet.devices) {
      for (const Handle driver : domains) {
        ask({.kind = Kind::GrantDevice, .subject = domain, .object = driver, .device = device});
      }
    }
  }
}

// The order is the same each time, so a move can be named by its place in it.
template <class Limits>
void for_each_move(const World<Limits>& world, const Alphabet& alphabet, auto&& visit) {
  using Kind = Action::Kind;
  for_each_session_move(world, visit);
  visit(Move{.action = {.kind = Kind::Tick, .elapsed_ms = 1}});
  for (const Handle domain : names_of(world.state.domains, alphabet.hostile)) {
    visit(Move{.action = {.kind = Kind::DomainDied, .subject = domain}});
  }
  for (const Handle actor : names_of(world.state.domains, alphabet.hostile)) {
    for_each_request(world, alphabet, actor, visit);
  }
  if (!alphabet.hostile) return;
  for (const Handle session : names_of(world.state.sessions, true)) {
    if (session.index < Limits::kSessions && session.generation == 2) continue;
    for (const Kind kind : {Kind::RegionMade, Kind::RegionSealed, Kind::Proven}) {
      visit(Move{.action = {.kind = kind, .subject = session}});
    }
  }
}

}  // namespace cede::broker::model
