// SPDX-License-Identifier: Apache-2.0
// The only door to memory that a peer writes at the same time.
//
// A value in shared memory may differ between two reads (XSA-155: one fetch for the check, another
// for the use). So nothing here hands out a pointer, a reference or a view: a record can be copied
// in whole and copied out whole, each callable on a temporary only, so one accessor expression is
// one access and a second fetch has to be asked for by name.
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
#include <utility>

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

  // Fetches every word once, into memory that no peer has. Judge the copy, never the original.
  void copy_into(T& record) && noexcept {
    auto* const bytes = reinterpret_cast<std::byte*>(&record);
    for_each_word([&](std::size_t i) {
      const std::uint64_t word = std::atomic_ref(words_[i]).load(std::memory_order_relaxed);
      std::memcpy(bytes + i * sizeof word, &word, sizeof word);
    });
  }
  [[nodiscard]] T copy_in() && noexcept {
    T record;
    std::move(*this).copy_into(record);
    return record;
  }

  // Stores every word once.
  void copy_out(const T& record) && noexcept {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&record);
    for_each_word([&](std::size_t i) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + i * sizeof word, sizeof word);
      std::atomic_ref(words_[i]).store(word, std::memory_order_relaxed);
    });
  }

 private:
  static constexpr std::size_t kWords = sizeof(T) / sizeof(std::uint64_t);

  // Each word by an instruction of its own. Compilers do not unroll loops over atomics, and a loop
  // needs the private copy in memory, where unrolled words stay in registers.
  template <class Copy>
  static void for_each_word(Copy copy) noexcept {
    [&]<std::size_t... kWord>(std::index_sequence<kWord...>) {
      (copy(kWord), ...);
    }
    (std::make_index_sequence<kWords>());
  }

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
