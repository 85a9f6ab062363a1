// SPDX-License-Identifier: Apache-2.0
// Room for frames on their way to the driver: extents of a stretch of payload, used and freed in
// one order, like a ring whose items differ in length.
//
// An extent is contiguous: what does not fit before the end begins again at the front, and the
// tail is skipped. Nothing in use: the next extent is the front again, which is still in the cache.
//
// All of its records are private memory, never the region's. Nothing but the constructor allocates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocols/shared_memory.h"

namespace cede::frontend {

class TransmitArea {
 public:
  // [begin, begin + bytes) of a region, for at most `extents` (a power of two) at a time.
  TransmitArea(std::uint32_t begin, std::uint32_t bytes, std::uint32_t extents)
      : begin_(begin), bytes_(bytes), starts_(extents) {}

  [[nodiscard]] std::uint32_t in_use() const noexcept { return next_ - oldest_; }

  // Where an extent of `bytes` can lie; it is in use only from commit() on. Another call gives up
  // the room of the last. Nothing: there is no such room until free_oldest().
  [[nodiscard]] std::optional<std::uint32_t> reserve(std::uint32_t bytes) noexcept {
    if (in_use() == starts_.size()) return std::nullopt;
    const bool empty = in_use() == 0;
    const std::uint32_t oldest = empty ? bytes_ : start(oldest_);
    std::uint32_t place = empty ? 0 : head_;
    const std::uint32_t end = place > oldest ? bytes_ : oldest;
    if (bytes > end - place) {
      if (end == oldest || bytes > oldest) return std::nullopt;
      place = 0;
    }
    reserved_ = place;
    return begin_ + place;
  }
  // The first `length` bytes of the last reserve(), at least one, are in use.
  void commit(std::uint32_t length) noexcept {
    start(next_++) = reserved_;
    // Whole cache lines: two frames share none.
    constexpr std::uint32_t kLine = kCacheLine;
    head_ = std::min(bytes_, reserved_ + (length + kLine - 1) / kLine * kLine);
  }
  // Precondition: in_use() > 0.
  void free_oldest() noexcept { ++oldest_; }

 private:
  [[nodiscard]] std::uint32_t& start(std::uint32_t extent) noexcept {
    return starts_[extent & (starts_.size() - 1)];
  }

  std::uint32_t begin_;
  std::uint32_t bytes_;
  std::uint32_t head_ = 0;      // behind the last extent, from begin_ on
  std::uint32_t reserved_ = 0;  // where the next one will be
  std::uint32_t next_ = 0;      // extents ever committed
  std::uint32_t oldest_ = 0;    // extents ever freed
  std::vector<std::uint32_t> starts_;
};

}  // namespace cede::frontend
