// SPDX-License-Identifier: Apache-2.0
// The invariants that hold in every state, whatever led to it. Numbers as in invariants.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vmm/broker/core/state.h"

namespace cede::broker {

namespace invariant_detail {

[[nodiscard]] bool alive(const auto& state, std::uint32_t domain) noexcept {
  return state.domains[domain].life == Life::Alive;
}

[[nodiscard]] std::uint64_t given_on_by(const auto& state, std::uint32_t parent) noexcept {
  std::uint64_t sum = 0;
  for (std::uint32_t child = 1; child < state.domains.size(); ++child) {
    const DomainRow& row = state.domains[child];
    if (row.used() && row.parent == parent) sum += row.given;
  }
  return sum;
}

// Does every row refer to rows in use, and every grant to living domains?
[[nodiscard]] bool references_hold(const auto& state) noexcept {
  const auto exists = [&](std::uint32_t domain) { return state.domains[domain].used(); };
  return std::ranges::all_of(
             state.domains,
             [&](const DomainRow& row) { return !row.used() || exists(row.parent); }) &&
         std::ranges::all_of(state.sessions,
                             [&](const SessionRow& row) {
                               return !row.used() ||
                                      (exists(row.client.domain) && exists(row.driver.domain));
                             }) &&
         std::ranges::all_of(state.grants, [&](const GrantRow& row) {
           return !row.used() || (alive(state, row.client) && alive(state, row.driver));
         });
}

}  // namespace invariant_detail

// 1. Conservation: conservation() in state.h.

// 2. Each page that a domain was given is in one place: in its account, in the escrow or the loan
// of one session, or given on to one child. The dead have nothing to give.
[[nodiscard]] bool one_owner(const auto& state) noexcept {
  for (std::uint32_t index = 0; index < state.domains.size(); ++index) {
    const DomainRow& row = state.domains[index];
    if (!row.used() && row != DomainRow{.generation = row.generation}) return false;
    if (index != kRoot && row.life != Life::Alive && row.account != 0) return false;
    std::uint64_t escrow = 0;
    std::uint64_t lent = 0;
    for (const SessionRow& session : state.sessions) {
      if (!session.used() || session.client.domain != index) continue;
      (session.lent ? lent : escrow) += session.pages;
    }
    if (row.escrow != escrow || row.lent != lent) return false;
    const std::uint64_t kept = std::uint64_t{row.account} + row.escrow + row.lent;
    if (row.used() && row.given != kept + invariant_detail::given_on_by(state, index)) return false;
  }
  return true;
}

// 4. Whatever is on its way home has a clock running. That the clock leads anywhere is a matter of
// many steps: tests/model walks every state home.
[[nodiscard]] bool bounded_return(const auto& state) noexcept {
  for (const SessionRow& session : state.sessions) {
    const bool returning =
        session.state == SessionState::Closing || session.state == SessionState::Draining;
    if (returning && session.deadline_ms == 0) return false;
  }
  return true;
}

// 11. A device carries one session: what a dead client's session still writes cannot overtake what
// the next one writes.
[[nodiscard]] bool one_session_a_device(const auto& state) noexcept {
  for (const SessionRow& one : state.sessions) {
    for (const SessionRow& other : state.sessions) {
      const bool both = &one != &other && one.used() && other.used();
      if (both && one.driver.domain == other.driver.domain && one.device == other.device) {
        return false;
      }
    }
  }
  return true;
}

// 12. A session gets to Connected, and stays there, only as long as its client has a grant for the
// device.
[[nodiscard]] bool granted(const auto& state) noexcept {
  const auto allowed = [&](const SessionRow& session) {
    return std::ranges::any_of(state.grants, [&](const GrantRow& grant) {
      return grant.used() && grant.client == session.client.domain &&
             grant.driver == session.driver.domain && grant.device == session.device;
    });
  };
  return std::ranges::all_of(state.sessions, [&](const SessionRow& session) {
    const bool lives = session.connecting() || session.state == SessionState::Connected;
    return !lives || allowed(session);
  });
}

}  // namespace cede::broker
