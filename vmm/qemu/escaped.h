// SPDX-License-Identifier: Apache-2.0
// Text inside QEMU's comma-separated options.
#pragma once

#include <string>
#include <string_view>

namespace cede::qemu {

// A comma is written twice.
[[nodiscard]] inline std::string escaped(std::string_view value) {
  std::string result;
  for (const char c : value) {
    result += c;
    if (c == ',') result += ',';
  }
  return result;
}

}  // namespace cede::qemu
