// SPDX-License-Identifier: Apache-2.0
// What goes through every ring: a record of a whole slot, whose content says whether it is the
// right one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cede::bench::ring {

// The last word carries nothing: a protocol that keeps state of its own in each slot may have it,
// as a real slot would have such a field. Every ring copies it all the same.
template <std::size_t Bytes>
struct Message {
  static constexpr std::size_t kWords = Bytes / sizeof(std::uint64_t) - 1;

  std::uint64_t words[kWords];
  std::uint64_t spare;

  // Xen's RING_COPY_* reads through a volatile lvalue, for which C++ makes no assignment by itself.
  template <class T>
  // NOLINTNEXTLINE(misc-unconventional-assign-operator): the argument is the volatile original
  requires std::is_same_v<T, volatile Message> Message& operator=(T& shared) {
    for (std::size_t i = 0; i < kWords; ++i) words[i] = shared.words[i];
    spare = shared.spare;
    return *this;
  }
};

// The request that ends a conversation: its response is the last.
inline constexpr std::uint64_t kLastRequest = std::uint64_t{1} << 63;

template <class Item>
[[nodiscard]] Item make_request(std::uint64_t number) {
  Item request;
  for (std::size_t i = 0; i < Item::kWords; ++i) request.words[i] = number + i;
  request.spare = 0;
  return request;
}

template <class Item>
[[nodiscard]] Item make_response(const Item& request) {
  Item response;
  for (std::size_t i = 0; i < Item::kWords; ++i) response.words[i] = request.words[i] + 1;
  response.spare = 0;
  return response;
}

template <class Item>
[[nodiscard]] bool answers(const Item& response, std::uint64_t number) {
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < Item::kWords; ++i) {
    difference |= response.words[i] ^ (number + i + 1);
  }
  return difference == 0;
}

}  // namespace cede::bench::ring
