// SPDX-License-Identifier: Apache-2.0
// A way to carry requests and responses between two sides over shared memory.
//
// The same code runs in threads, in processes, and on the model of two caches (model/).
// Both halves of a contender work on memory that may be mapped at different addresses. A side never
// has more than kSlots messages in flight; who uses it sees to that.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace cede::bench::ring {

inline constexpr std::uint32_t kSlots = 512;         // of every ring
inline constexpr std::size_t kMaxBytes = 256 << 10;  // what every contender fits into

// One side. put() may keep a message back until publish(); take() gets the next one, if there is.
template <class E, class Item>
concept End = requires(E& end, const Item& out, Item& in) {
  end.put(out);
  end.publish();
  { end.take(in) } -> std::same_as<bool>;
};

// One that says by itself when its peer needs a doorbell.
template <class E>
concept WakingEnd = requires(E& end) {
  { end.publish() } -> std::same_as<bool>;  // ring the peer's doorbell?
  { end.arm() } -> std::same_as<bool>;      // nothing there, and the doorbell will ring
};

template <class C>
concept Contender = End<typename C::Front, typename C::Item> &&
    End<typename C::Back, typename C::Item> &&
    std::constructible_from<typename C::Front, std::byte*> &&
    std::constructible_from<typename C::Back, std::byte*> && requires(std::byte* memory) {
  C::format(memory);  // zeroes and cache-aligned before, kMaxBytes long
};

// Peers of this laboratory are honest, so this is a defect in it.
[[noreturn]] inline void broken() {
  throw std::runtime_error("a peer's index or id cannot be right");
}

}  // namespace cede::bench::ring
