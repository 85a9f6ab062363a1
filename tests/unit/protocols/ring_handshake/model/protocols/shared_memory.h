// SPDX-License-Identifier: Apache-2.0
// Stands in for protocols/shared_memory.h while ring.h is compiled for the explorer: the same
// names, but every access goes to the side that is being explored (../../explorer.cc).
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cede {

inline constexpr std::size_t kCacheLine = 64;

// The explorer's records are one word long.
template <class T>
concept SharedRecord = sizeof(T) == sizeof(std::uint64_t);

namespace model {
// `place` is a byte offset into the ring. Answered by the explorer.
[[nodiscard]] std::uint32_t load(const std::byte* place) noexcept;
void store(const std::byte* place, std::uint32_t value, bool release) noexcept;
void fence() noexcept;
}  // namespace model

template <SharedRecord T>
class SharedSlot {
 public:
  explicit SharedSlot(std::byte* place) noexcept : place_(place) {}
  void copy_into(T& record) && noexcept { record = T{model::load(place_)}; }
  void copy_out(const T& record) && noexcept {
    model::store(place_, static_cast<std::uint32_t>(record.value), false);
  }

 private:
  std::byte* place_;
};

class SharedIndex {
 public:
  explicit SharedIndex(std::byte* place) noexcept : place_(place) {}
  [[nodiscard]] std::uint32_t load(std::memory_order) const noexcept { return model::load(place_); }
  void store(std::uint32_t value, std::memory_order order) const noexcept {
    model::store(place_, value, order == std::memory_order_release);
  }

 private:
  std::byte* place_;
};

inline void full_fence() noexcept {
  model::fence();
}

}  // namespace cede
