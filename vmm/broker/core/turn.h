// SPDX-License-Identifier: Apache-2.0
// What every part of the core works on during one step: the state, and where the effects go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmm/broker/core/action.h"
#include "vmm/broker/core/mutation.h"
#include "vmm/broker/core/state.h"

namespace cede::broker {

// The effects of one step, in the order in which the shell is to carry them out.
//
// No step can have more than kCapacity:
// - a session has three at most. Its way to an end has one TellClosing for each side, for they are
//   told only on leaving Connected or the states before it, and one LetGo; every other step of its
//   life has one or two;
// - a domain is killed once and dropped once in its life, a grant is told or revoked once.
template <class Limits>
class Effects {
 public:
  static constexpr std::size_t kCapacity =
      3 * Limits::kSessions + 2 * Limits::kDomains + Limits::kGrants;

  void clear() { size_ = 0; }
  void add(const Effect& effect) {
    if (size_ == kCapacity) __builtin_trap();  // the reasoning above is wrong: stop, lose nothing
    items_[size_++] = effect;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Effect* begin() const { return items_.data(); }
  [[nodiscard]] const Effect* end() const { return items_.data() + size_; }

 private:
  std::array<Effect, kCapacity> items_;
  std::size_t size_ = 0;
};

template <class L, Mutation kSeed>
struct Turn {
  State<L>& state;
  Effects<L>& out;

  [[nodiscard]] static constexpr bool seeded(Mutation mutation) { return mutation == kSeed; }

  // The row that a handle names, or null: the handle is made up, or of an earlier life of the row.
  [[nodiscard]] static auto* find(auto& rows, Handle handle) {
    auto* row = handle.index < rows.size() ? &rows[handle.index] : nullptr;
    const bool current = row != nullptr && (row->generation == handle.generation ||
                                            seeded(Mutation::OldGenerationsWork));
    return current && row->used() ? row : nullptr;
  }

  [[nodiscard]] static Handle handle(const auto& rows, const auto& row) {
    return handle_at(rows, static_cast<std::size_t>(&row - rows.data()));
  }
  [[nodiscard]] Handle handle(const SessionRow& row) const { return handle(state.sessions, row); }

  [[nodiscard]] bool alive(std::uint32_t domain) const {
    return state.domains[domain].life == Life::Alive;
  }

  // The dead are told nothing.
  void tell(std::uint32_t domain, Effect::Kind kind, Handle subject, Status status = Status::Ok) {
    if (alive(domain)) out.add({kind, status, handle_at(state.domains, domain), subject});
  }
};

}  // namespace cede::broker
