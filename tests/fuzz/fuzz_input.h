// SPDX-License-Identifier: Apache-2.0
// What every fuzz target shares: reading values off the input, and failing loudly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

namespace cede::fuzz {

// The input as a stream of little values; zeros once it has run out.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T take() {
    T value{};
    const std::size_t size = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  // 0 to limit - 1.
  [[nodiscard]] std::uint32_t below(std::uint32_t limit) { return take<std::uint8_t>() % limit; }
  [[nodiscard]] std::span<const std::uint8_t> take_bytes(std::size_t size) {
    const auto bytes = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(bytes.size());
    return bytes;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

// Holds in every build: a fuzz target without it can only find crashes.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz target: does not hold: %s\n", what);
  std::abort();
}

}  // namespace cede::fuzz

// NOLINTNEXTLINE: the name is libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
