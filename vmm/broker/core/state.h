// SPDX-License-Identifier: Apache-2.0
// Everything the broker knows: three fixed tables and a handful of numbers.
//
// Rows refer to each other by index, for a row stays in use as long as another refers to it. To the
// outside a row is named by a Handle, whose generation changes with each new use of the row.
// States are plain values without padding: copying one is a complete snapshot, equal states are
// equal bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "protocols/session.h"
#include "protocols/status.h"

namespace cede::broker {

// The capacities of the broker that is shipped.
struct ProductionLimits {
  static constexpr std::uint32_t kDomains = 384;  // the root among them
  static constexpr std::uint32_t kGrants = 512;
  static constexpr std::uint32_t kSessions = 512;
  // A branch is a child of the root with all that is below it. What its members do may fill this
  // much of each table and no more, so none of them can lock the others out. The root's own doing
  // is not limited.
  static constexpr std::uint32_t kBranchDomains = 16;
  static constexpr std::uint32_t kBranchGrants = 64;
  static constexpr std::uint32_t kBranchSessions = 64;
};

// The domain that holds the whole budget at first. It is nobody's client and nobody's driver.
inline constexpr std::uint32_t kRoot = 0;

// A domain's life. Rows of the dead stay until no session and no child refers to them.
enum class Life : std::uint32_t {
  Free,
  Alive,
  Doomed,  // within the step in which it dies
  Dying,   // dead to the broker; its process may still hold pages
  Killed,  // Dying, and its parent was asked to end the process
};

// Of all pages that a domain was given, each is in its account, in escrow, lent, or given on:
//   given == account + escrow + lent + the sum of its children's given
struct DomainRow {
  std::uint32_t generation = 0;
  std::uint32_t parent = kRoot;
  std::uint32_t given = 0;    // by its parent, and not come back
  std::uint32_t account = 0;  // still its own to give
  std::uint32_t escrow = 0;   // of its sessions that never were Connected
  std::uint32_t lent = 0;     // of its sessions that are or were Connected
  Life life = Life::Free;

  friend bool operator==(const DomainRow&, const DomainRow&) = default;
  [[nodiscard]] constexpr bool used() const noexcept { return life != Life::Free; }
};

// The client may connect to the driver's device. Lives as long as both domains do, or until an
// ancestor of both takes it back.
struct GrantRow {
  std::uint32_t generation = 0;
  std::uint32_t client = kRoot;  // kRoot, which is nobody's client: the row is free
  std::uint32_t driver = kRoot;
  std::uint32_t device = 0;

  friend bool operator==(const GrantRow&, const GrantRow&) = default;
  [[nodiscard]] constexpr bool used() const noexcept { return client != kRoot; }
};

// How far one side of a session has the region, by its own word.
enum class Stage : std::uint32_t {
  Untold,   // never had anything of it
  Offered,  // was sent the region
  Mapped,   // has said so
  Out,      // has said that it holds nothing of it any more
};

struct Party {
  std::uint32_t domain = kRoot;
  Stage stage = Stage::Untold;

  friend bool operator==(const Party&, const Party&) = default;
  [[nodiscard]] constexpr bool holds() const noexcept {
    return stage == Stage::Offered || stage == Stage::Mapped;
  }
};

struct SessionRow {
  std::uint32_t generation = 0;
  std::uint32_t device = 0;  // the driver's number for it
  std::uint32_t pages = 0;
  std::uint32_t deadline_ms = 0;  // what is left of it; 0 when Connected or free: no clock runs
  Party client{};
  Party driver{};
  SessionState state = SessionState::Closed;
  bool lent = false;           // was Connected: the pages count as lent, not as escrow
  Status reason = Status::Ok;  // why it ended

  friend bool operator==(const SessionRow&, const SessionRow&) = default;
  [[nodiscard]] constexpr bool used() const noexcept { return state != SessionState::Closed; }
  // On its way to Connected: it gets there, or rolls back whole.
  [[nodiscard]] constexpr bool connecting() const noexcept {
    return state >= SessionState::Requested && state <= SessionState::Offered;
  }
};

template <class L>
struct State {
  static constexpr L limits{};

  std::uint32_t budget = 0;      // pages of the machine
  std::uint32_t connect_ms = 0;  // from Connect to Connected
  std::uint32_t drain_ms = 0;    // for the driver to let go; then for each proof
  std::uint32_t sealed = 0;      // 1: nothing is created or connected ever again
  std::array<DomainRow, L::kDomains> domains{};
  std::array<GrantRow, L::kGrants> grants{};
  std::array<SessionRow, L::kSessions> sessions{};

  friend bool operator==(const State&, const State&) = default;
};

// The state before anything happened: the root alone, with every page in its account.
template <class Limits>
[[nodiscard]] constexpr State<Limits> initial_state(std::uint32_t budget, std::uint32_t connect_ms,
                                                    std::uint32_t drain_ms) noexcept {
  State<Limits> state;
  state.budget = budget;
  state.connect_ms = std::max(connect_ms, 1U);
  state.drain_ms = std::max(drain_ms, 1U);
  state.domains[kRoot] = {.generation = 1, .given = budget, .account = budget, .life = Life::Alive};
  return state;
}

[[nodiscard]] constexpr Handle handle_at(const auto& rows, std::size_t index) noexcept {
  return {static_cast<std::uint32_t>(index), rows[index].generation};
}

// Accounts, escrow and sessions together are the machine's budget: the first of the invariants, and
// cheap enough to be checked after every step.
[[nodiscard]] bool conservation(const auto& state) noexcept {
  std::uint64_t sum = 0;
  for (const DomainRow& row : state.domains) {
    sum += std::uint64_t{row.account} + row.escrow + row.lent;
  }
  return sum == state.budget;
}

[[nodiscard]] constexpr Handle root_handle(const auto& state) noexcept {
  return handle_at(state.domains, kRoot);
}

}  // namespace cede::broker
