// SPDX-License-Identifier: Apache-2.0
// Numbers for attacks that try a little of everything; the same in each run.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace cede::attack {

class Random {
 public:
  explicit Random(std::uint64_t seed = 1) noexcept : state_(seed) {}

  // splitmix64
  [[nodiscard]] std::uint64_t next() noexcept {
    std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
  }
  // Below `end`, which is not 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t end) noexcept { return next() % end; }
  template <class T>
  [[nodiscard]] T among(std::initializer_list<T> choices) noexcept {
    return choices.begin()[below(choices.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace cede::attack
