// SPDX-License-Identifier: Apache-2.0
// Command line options of the form key=value,flag,... and what is said when one is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace cede::driver {

class OptionText {
 public:
  // `option` is what messages call it: "--export".
  OptionText(std::string_view option, std::string_view text) : option_(option), text_(text) {}

  // Hands each item to `flag(key)` or `value(key, given)`; either returns false if it knows no such
  // key. Throws SetupError: not known, or given twice.
  void parse(const std::function<bool(std::string_view)>& flag,
             const std::function<bool(std::string_view, std::string_view)>& value);
  [[nodiscard]] bool has(std::string_view key) const { return seen_.contains(key); }

  // Throw SetupError where the value is not of that kind.
  [[nodiscard]] std::uint64_t number(std::string_view key, std::string_view given,
                                     std::uint64_t least, std::uint64_t most) const;
  [[nodiscard]] std::string words(std::string_view key, std::string_view given,
                                  std::size_t most = SIZE_MAX) const;
  // Throws SetupError: the option and its text, then `what`.
  [[noreturn]] void fail(const std::string& what) const;

 private:
  std::string_view option_;
  std::string_view text_;
  std::set<std::string_view> seen_;
};

}  // namespace cede::driver
