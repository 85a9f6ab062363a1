// SPDX-License-Identifier: Apache-2.0
// The tree of domains: who is below whom, and the pages that move along its edges.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vmm/broker/core/turn.h"

namespace cede::broker {

// Is `domain` a descendant of `ancestor`? Nobody is below itself.
[[nodiscard]] bool is_below(const auto& state, std::uint32_t domain, std::uint32_t ancestor) {
  while (domain != kRoot) {
    domain = state.domains[domain].parent;
    if (domain == ancestor) return true;
  }
  return false;
}

// The child of the root that `domain` is, or is below. The root is a branch of its own.
[[nodiscard]] std::uint32_t branch_of(const auto& state, std::uint32_t domain) {
  while (domain != kRoot && state.domains[domain].parent != kRoot) {
    domain = state.domains[domain].parent;
  }
  return domain;
}

// A free row for something that `actor` asks for, in its next generation; or null: the table is
// full, or as many of its rows as the quota allows count for the actor's branch already. A row
// counts for the branch of the domain owner(row).
auto* take(auto& turn, auto& rows, std::uint32_t actor, std::uint32_t quota, auto owner) {
  auto row = std::ranges::find_if_not(rows, [](const auto& each) { return each.used(); });
  const std::uint32_t branch = branch_of(turn.state, actor);
  const auto theirs = std::ranges::count_if(rows, [&](const auto& each) {
    return each.used() && branch_of(turn.state, owner(each)) == branch;
  });
  const bool granted = row != rows.end() && (actor == kRoot || theirs < std::int64_t{quota});
  if (!granted) return static_cast<decltype(rows.data())>(nullptr);
  if (!turn.seeded(Mutation::RowsKeepGeneration)) ++row->generation;
  if (row->generation == 0) row->generation = 1;  // wrapped: 0 names nothing
  return &*row;
}

// The nearest living of `domain` and its ancestors; the root even when it is dead.
[[nodiscard]] std::uint32_t home_of(const auto& state, std::uint32_t domain) {
  while (domain != kRoot && state.domains[domain].life != Life::Alive) {
    domain = state.domains[domain].parent;
  }
  return domain;
}

// Precondition: the parent's account holds them.
void give(auto& state, std::uint32_t parent, std::uint32_t child, std::uint32_t pages) {
  state.domains[parent].account -= pages;
  state.domains[child].account += pages;
  state.domains[child].given += pages;
}

// Pages that `domain` had, and that are nobody's now, go to its home: up through the dead, each of
// whom gives back what it was given.
void bring_home(auto& state, std::uint32_t domain, std::uint32_t pages) {
  for (const std::uint32_t home = home_of(state, domain); domain != home;) {
    state.domains[domain].given -= pages;
    domain = state.domains[domain].parent;
  }
  state.domains[domain].account += pages;
}

// Frees the row of a dead domain once no session and no child refers to it; then its parent's, if
// that only waited for this one.
void reap(auto& state, std::uint32_t domain) {
  const auto below = [&](const DomainRow& row) { return row.used() && row.parent == domain; };
  const auto refers = [&](const SessionRow& row) {
    return row.used() && (row.client.domain == domain || row.driver.domain == domain);
  };
  const auto dead = [&] { return state.domains[domain].life >= Life::Dying; };
  while (domain != kRoot && dead() && std::ranges::none_of(state.sessions, refers) &&
         std::ranges::none_of(state.domains, below)) {
    DomainRow& row = state.domains[domain];
    domain = row.parent;
    row = {.generation = row.generation};
  }
}

}  // namespace cede::broker
