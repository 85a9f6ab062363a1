// SPDX-License-Identifier: Apache-2.0
// Bytes to write, and to know again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cede::test {

// Bytes that differ from place to place and from seed to seed.
[[nodiscard]] inline std::vector<std::byte> pattern(std::size_t length, std::uint32_t seed) {
  std::vector<std::byte> bytes(length);
  std::uint32_t state = seed * 2654435761U + 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

}  // namespace cede::test
