// SPDX-License-Identifier: Apache-2.0
// What is wrong with a system description: all of it, not just the first thing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cede::supervisor {

// Both count from 1. 0: the file as a whole.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

// A value from the description, and where it stands (or where its table does, if it was left out).
template <class T>
struct Field {
  T value{};
  Position at;

  const T& operator*() const noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
};

struct Problem {
  Position at;
  std::string what;
  std::string remedy;
};

using Problems = std::vector<Problem>;

// "FILE:LINE:COLUMN: WHAT; REMEDY", safe for a terminal.
[[nodiscard]] std::string to_line(const std::string& file, const Problem& problem);

}  // namespace cede::supervisor
