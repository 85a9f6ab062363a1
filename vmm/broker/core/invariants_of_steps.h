// SPDX-License-Identifier: Apache-2.0
// The invariants of a step: of what an action may make of a state. Numbers as in invariants.h.
#pragma once

#include <cstdint>

#include "vmm/broker/core/action.h"
#include "vmm/broker/core/invariants_of_states.h"

namespace cede::broker {

// What an action's subject names.
enum class Names : std::uint8_t { Nothing, Domain, Grant, Session };

[[nodiscard]] constexpr Names subject_of(Action::Kind kind) noexcept {
  switch (kind) {
    case Action::Kind::DestroyDomain:
    case Action::Kind::Fund:
    case Action::Kind::GrantDevice:
    case Action::Kind::DomainDied:
      return Names::Domain;
    case Action::Kind::RevokeGrant:
    case Action::Kind::Connect:
      return Names::Grant;
    case Action::Kind::Mapped:
    case Action::Kind::Refuse:
    case Action::Kind::Close:
    case Action::Kind::Release:
    case Action::Kind::RegionMade:
    case Action::Kind::RegionSealed:
    case Action::Kind::Proven:
      return Names::Session;
    default:
      return Names::Nothing;
  }
}

// Does a domain ask for it? The other kinds come from the shell itself.
[[nodiscard]] constexpr bool is_request(Action::Kind kind) noexcept {
  return kind <= Action::Kind::SealSystem;
}

namespace invariant_detail {

// Is `domain` in the tree below `top`, `top` included?
[[nodiscard]] bool within(const auto& state, std::uint32_t domain, std::uint32_t top) noexcept {
  for (;; domain = state.domains[domain].parent) {
    if (domain == top) return true;
    if (domain == kRoot) return false;
  }
}

[[nodiscard]] bool names_row(const auto& rows, Handle handle) noexcept {
  return handle.index < rows.size() && rows[handle.index].used() &&
         rows[handle.index].generation == handle.generation;
}

[[nodiscard]] constexpr bool in_use(const SessionRow& session) noexcept {
  return session.state == SessionState::Connected || session.state == SessionState::Closing;
}

[[nodiscard]] std::uint64_t accounts_of(const auto& state) noexcept {
  std::uint64_t sum = 0;
  for (const DomainRow& row : state.domains) sum += row.account;
  return sum;
}

// Did `action` make the driver of `session` let go, or die?
[[nodiscard]] bool driver_lets_go(const auto& before, const Action& action, const auto& after,
                                  std::uint32_t index) noexcept {
  const std::uint32_t driver = before.sessions[index].driver.domain;
  const bool above_driver =
      action.subject.index < before.domains.size() && within(before, driver, action.subject.index);
  switch (action.kind) {
    case Action::Kind::Release:
      return action.subject.index == index && action.actor.index == driver;
    case Action::Kind::DomainDied:
      return above_driver;
    case Action::Kind::DestroyDomain:
      return above_driver && within(before, driver, action.actor.index);
    case Action::Kind::Tick:
      return !alive(after, driver);
    default:
      return false;
  }
}

// Does a row have a new name if it begins a new life, and only then?
[[nodiscard]] bool named_anew(const auto& was, const auto& is) noexcept {
  for (std::size_t index = 0; index < was.size(); ++index) {
    const bool born = !was[index].used() && is[index].used();
    const bool renamed = was[index].generation != is[index].generation;
    if (born != renamed || (born && is[index].generation == 0)) return false;
  }
  return true;
}

// Does no row differ but those that may?
[[nodiscard]] bool only_changes(const auto& was, const auto& is, auto allowed) noexcept {
  for (std::uint32_t index = 0; index < was.size(); ++index) {
    if (was[index] != is[index] && !allowed(index)) return false;
  }
  return true;
}

// Is nobody killed but for a session that it answers for? What is left of a dead client does; a
// driver does that has not said Release, or has said it when nobody else can hold the pages: its
// client never had them, or was killed before.
[[nodiscard]] bool just_kills(const auto& before, const auto& after) noexcept {
  const auto killed = [](const auto& state, std::uint32_t domain) {
    return state.domains[domain].life == Life::Killed;
  };
  const auto answers = [&](const SessionRow& session, std::uint32_t domain) {
    if (!session.used()) return false;
    if (session.client.domain == domain && !alive(before, domain)) return true;
    return session.driver.domain == domain &&
           (session.driver.holds() || session.client.stage == Stage::Untold ||
            killed(before, session.client.domain));
  };
  return only_changes(before.domains, after.domains, [&](std::uint32_t domain) {
    return killed(before, domain) || !killed(after, domain) ||
           std::ranges::any_of(before.sessions,
                               [&](const SessionRow& row) { return answers(row, domain); });
  });
}

[[nodiscard]] bool kernel_frame(const auto& before, std::uint32_t session,
                                const auto& after) noexcept {
  std::uint32_t home = before.sessions[session].client.domain;
  while (home != kRoot && !alive(before, home)) home = before.domains[home].parent;
  const auto paid = [&](auto domain) { return domain == home || !alive(before, domain); };
  return before.grants == after.grants && only_changes(before.domains, after.domains, paid) &&
         only_changes(before.sessions, after.sessions,
                      [&](auto index) { return index == session; });
}

[[nodiscard]] bool domain_frame(const auto& before, std::uint32_t author, bool death,
                                const auto& after) noexcept {
  const auto theirs = [&](std::uint32_t domain) {
    return within(before.domains[domain].used() ? before : after, domain, author);
  };
  const auto domain_row = [&](std::uint32_t domain) {
    return theirs(domain) || (death && domain == before.domains[author].parent);
  };
  const auto session_row = [&](std::uint32_t index) {
    const SessionRow& was = before.sessions[index];
    if (!was.used()) return after.sessions[index].client.domain == author;
    return theirs(was.client.domain) || theirs(was.driver.domain);
  };
  const auto grant_row = [&](std::uint32_t index) {
    const GrantRow& was = before.grants[index];
    const GrantRow& is = after.grants[index];
    if (!was.used()) return theirs(is.client) && theirs(is.driver);
    const bool orphaned = !alive(after, was.client) || !alive(after, was.driver);
    return orphaned ? theirs(was.client) || theirs(was.driver)
                    : theirs(was.client) && theirs(was.driver);
  };
  return only_changes(before.domains, after.domains, domain_row) &&
         only_changes(before.sessions, after.sessions, session_row) &&
         only_changes(before.grants, after.grants, grant_row);
}

}  // namespace invariant_detail

// 3. A session in use keeps its pages until its driver lets go or dies.
[[nodiscard]] bool no_revoke(const auto& before, const Action& action, const auto& after) noexcept {
  for (std::uint32_t index = 0; index < before.sessions.size(); ++index) {
    const SessionRow& was = before.sessions[index];
    const SessionRow& is = after.sessions[index];
    if (!invariant_detail::in_use(was)) continue;
    const bool same = is.generation == was.generation && is.pages == was.pages && is.lent &&
                      is.client.domain == was.client.domain &&
                      is.driver.domain == was.driver.domain;
    if (!same) return false;
    const bool back = was.state == SessionState::Closing && is.state == SessionState::Connected;
    if (invariant_detail::in_use(is) && !back) continue;
    if (is.state != SessionState::Draining) return false;
    if (!invariant_detail::driver_lets_go(before, action, after, index)) return false;
  }
  return true;
}

// 5. A connect in progress has two living sides that both want it, and a clock; it succeeds only
// when both have mapped the region and the seals were verified.
[[nodiscard]] bool atomic_connect(const auto& before, const Action& action,
                                  const auto& after) noexcept {
  for (std::uint32_t index = 0; index < after.sessions.size(); ++index) {
    const SessionRow& was = before.sessions[index];
    const SessionRow& is = after.sessions[index];
    if (is.connecting()) {
      const bool wanted = invariant_detail::alive(after, is.client.domain) &&
                          invariant_detail::alive(after, is.driver.domain) &&
                          is.client.stage != Stage::Out && is.driver.stage != Stage::Out;
      if (!wanted || is.deadline_ms == 0) return false;
    }
    if (is.state == SessionState::Connected && was.state != SessionState::Connected) {
      const bool due = action.kind == Action::Kind::RegionSealed && action.status == Status::Ok &&
                       action.subject.index == index && was.state == SessionState::Offered &&
                       was.driver.stage == Stage::Mapped && was.client.stage == Stage::Mapped;
      if (!due) return false;
    }
  }
  return true;
}

// 6. Accounts grow, and sessions end, by the kernel's proof for a draining session and by nothing
// else.
[[nodiscard]] bool no_reuse_before_proof(const auto& before, const Action& action,
                                         const auto& after) noexcept {
  const auto proven = [&](std::uint32_t index) {
    return action.kind == Action::Kind::Proven && action.subject.index == index &&
           before.sessions[index].state == SessionState::Draining;
  };
  bool any_proven = false;
  for (std::uint32_t index = 0; index < before.sessions.size(); ++index) {
    any_proven = any_proven || proven(index);
    const bool ended = before.sessions[index].used() && !after.sessions[index].used();
    if (ended && !proven(index)) return false;
  }
  return any_proven ||
         invariant_detail::accounts_of(after) <= invariant_detail::accounts_of(before);
}

// 7. A handle of an earlier life of its row changes nothing; each life has a name of its own; and
// no row is free while another refers to it.
[[nodiscard]] bool generations(const auto& before, const Action& action,
                               const auto& after) noexcept {
  const auto stale = [](const auto& rows, Handle handle) {
    return !invariant_detail::names_row(rows, handle);
  };
  const Names names = subject_of(action.kind);
  const bool names_nothing =
      (is_request(action.kind) && stale(before.domains, action.actor)) ||
      (names == Names::Domain && stale(before.domains, action.subject)) ||
      (names == Names::Grant && stale(before.grants, action.subject)) ||
      (names == Names::Session && stale(before.sessions, action.subject)) ||
      (action.kind == Action::Kind::GrantDevice && stale(before.domains, action.object));
  if (names_nothing && after != before) return false;

  if (!invariant_detail::named_anew(before.domains, after.domains) ||
      !invariant_detail::named_anew(before.grants, after.grants) ||
      !invariant_detail::named_anew(before.sessions, after.sessions)) {
    return false;
  }
  return invariant_detail::references_hold(after);
}

// 8. Nobody has donated more than it was given, and nobody's account pays for anything but its own
// requests.
[[nodiscard]] bool quota(const auto& before, const Action& action, const auto& after) noexcept {
  for (std::uint32_t index = 0; index < after.domains.size(); ++index) {
    const DomainRow& is = after.domains[index];
    const std::uint64_t donated =
        std::uint64_t{is.escrow} + is.lent + invariant_detail::given_on_by(after, index);
    if (is.used() && donated > is.given) return false;
    const bool own_request =
        action.actor.index == index &&
        (action.kind == Action::Kind::Connect || action.kind == Action::Kind::CreateDomain ||
         action.kind == Action::Kind::Fund);
    const bool paid = is.life == Life::Alive && is.account < before.domains[index].account;
    if (paid && !own_request) return false;
  }
  return true;
}

// 9. An action touches its author, what is below it, and the sessions and grants of those. A death
// also touches the account that the unspent pages come home to. The dead touch nothing, the
// kernel's word about a session touches that session and whoever gets its pages, and the clock
// kills nobody for what another domain does.
[[nodiscard]] bool frame(const auto& before, const Action& action, const auto& after) noexcept {
  if (action.kind == Action::Kind::Tick) return invariant_detail::just_kills(before, after);
  if (subject_of(action.kind) == Names::Session && !is_request(action.kind)) {
    return !invariant_detail::names_row(before.sessions, action.subject) ||
           invariant_detail::kernel_frame(before, action.subject.index, after);
  }
  const bool death = action.kind == Action::Kind::DomainDied;
  const Handle author = death ? action.subject : action.actor;
  if (!invariant_detail::names_row(before.domains, author) ||
      !invariant_detail::alive(before, author.index)) {
    return after == before;
  }
  return invariant_detail::domain_frame(before, author.index, death, after);
}

// 10. Once sealed, for ever: no new domain, grant or session, and none that becomes Connected.
[[nodiscard]] bool static_seal(const auto& before, const auto& after) noexcept {
  if (before.sealed == 0) return true;
  const auto grows = [](const auto& was, const auto& is) {
    for (std::size_t index = 0; index < was.size(); ++index) {
      if (!was[index].used() && is[index].used()) return true;
    }
    return false;
  };
  for (std::size_t index = 0; index < before.sessions.size(); ++index) {
    const bool connects = after.sessions[index].state == SessionState::Connected &&
                          before.sessions[index].state != SessionState::Connected;
    if (connects) return false;
  }
  return after.sealed != 0 && !grows(before.domains, after.domains) &&
         !grows(before.grants, after.grants) && !grows(before.sessions, after.sessions);
}

}  // namespace cede::broker
