// SPDX-License-Identifier: Apache-2.0
// The only door to memory that a peer writes at the same time.
//
// A value in shared memory may differ between two reads (XSA-155: one fetch for the check, another
// for the use). So nothing here hands out a pointer, a reference or a view: a record can be copied
// in whole and copied out whole, and both are callable on a temporary only, so one accessor
// expression is one access and a second fetch has to be asked for by name.
// tests/unit/protocols/no_second_fetch shows what the compiler says to anything else.
//
// Records are moved as relaxed 64-bit atomics: the compiler may neither repeat nor merge the
// accesses, and a concurrent writer is a defined race. Order between records comes from the ring's
// indices.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace cede {

inline constexpr std::size_t kCacheLine = 64;

// A record that two domains may exchange: whole 64-bit words, and no padding in which a stale or
// private byte could cross (XSA-216).
template <class T>
concept SharedRecord = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> &&
                           std::has_unique_object_representations_v<T> && sizeof(T) %
                           sizeof(std::uint64_t) ==
                       0;

// One record of type T at a fixed place in a region. Does not own the memory, which has to be
// aligned to eight bytes and outlive the accessor.
template <SharedRecord T>
class SharedSlot {
 public:
  explicit SharedSlot(std::byte* place) noexcept
      : words_(reinterpret_cast<std::uint64_t*>(place)) {}
  SharedSlot(const SharedSlot&) = delete;
  SharedSlot& operator=(const SharedSlot&) = delete;

  // Fetches every word once. Judge the copy, never the original.
  [[nodiscard]] T copy_in() && noexcept {
    std::uint64_t copy[kWords];
    for (std::size_t i = 0; i < kWords; ++i) {
      copy[i] = std::atomic_ref(words_[i]).load(std::memory_order_relaxed);
    }
    T record;
    std::memcpy(&record, copy, sizeof record);
    return record;
  }

  // Stores every word once.
  void copy_out(const T& record) && noexcept {
    std::uint64_t copy[kWords];
    std::memcpy(copy, &record, sizeof record);
    for (std::size_t i = 0; i < kWords; ++i) {
      std::atomic_ref(words_[i]).store(copy[i], std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::size_t kWords = sizeof(T) / sizeof(std::uint64_t);
  std::uint64_t* words_;
};

// One 32-bit index in shared memory, for the ring alone: written by one side, read by the other.
class SharedIndex {
 public:
  explicit SharedIndex(std::byte* place) noexcept
      : value_(reinterpret_cast<std::uint32_t*>(place)) {}

  [[nodiscard]] std::uint32_t load(std::memory_order order) const noexcept {
    return std::atomic_ref(*value_).load(order);
  }
  void store(std::uint32_t value, std::memory_order order) const noexcept {
    std::atomic_ref(*value_).store(value, order);
  }

 private:
  std::uint32_t* value_;
};

// Orders a store before a later load, of other places too: what x86 does not do by itself. The ring
// names it through this header so that the header is all that a model of memory has to replace.
inline void full_fence() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace cede
