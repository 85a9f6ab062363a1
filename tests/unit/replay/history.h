// SPDX-License-Identifier: Apache-2.0
// What a guest asked of its disk and when it was answered, and what the disk may therefore hold:
// docs/replay.md, as a model.
//
// Each block of the disk holds one value all over. A write is old once a later one of the block,
// begun after its answer, is answered itself: what is old must never be seen again. Between writes
// that were under way at the same time there is no order. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cede::test {

class History {
 public:
  using Value = std::uint64_t;

  explicit History(std::size_t blocks) : blocks_(blocks, std::vector<Write>(1)) {}

  // A request that was begun; its place in time, to be given back when it is answered.
  using Begun = std::uint64_t;

  [[nodiscard]] Begun begin() noexcept { return ++now_; }
  [[nodiscard]] Begun begin_write(std::size_t first, std::size_t count, Value value) {
    const Begun begun = begin();
    for (std::size_t i = first; i < first + count; ++i) {
      blocks_[i].push_back({.value = value, .begun = begun, .answered = kUnanswered});
    }
    return begun;
  }
  void write_answered(std::size_t first, std::size_t count, Begun begun) noexcept {
    ++now_;
    for (std::size_t i = first; i < first + count; ++i) {
      for (Write& write : blocks_[i]) {
        if (write.begun == begun) write.answered = now_;
      }
    }
  }
  void flush_answered(Begun begun) noexcept { flushed_ = std::max(flushed_, begun); }

  // May a read that was begun then, and is answered now, see this in these blocks?
  [[nodiscard]] bool may_read(std::size_t first, std::span<const Value> values, Begun begun) const {
    return may_hold(first, values, begun);
  }
  // May the whole disk hold this when the power comes back?
  [[nodiscard]] bool may_survive(std::span<const Value> values) const {
    return may_hold(0, values, flushed_);
  }

 private:
  static constexpr std::uint64_t kUnanswered = UINT64_MAX;

  struct Write {
    Value value = 0;
    std::uint64_t begun = 0;
    std::uint64_t answered = 0;
  };

  // `since`: what was answered before that moment must be there, or something younger.
  [[nodiscard]] bool may_hold(std::size_t first, std::span<const Value> values,
                              std::uint64_t since) const {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::vector<Write>& writes = blocks_[first + i];
      std::uint64_t settled = 0;  // when the youngest write that must be there was begun
      for (const Write& write : writes) {
        if (write.answered < since) settled = std::max(settled, write.begun);
      }
      const bool known = std::any_of(writes.begin(), writes.end(), [&](const Write& write) {
        return write.value == values[i] && write.answered >= settled;
      });
      if (!known) return false;
    }
    return true;
  }

  std::vector<std::vector<Write>> blocks_;  // each block's writes, oldest first
  std::uint64_t now_ = 0;
  std::uint64_t flushed_ = 0;  // when the youngest answered flush was begun
};

}  // namespace cede::test
