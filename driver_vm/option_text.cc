// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/option_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "driver_vm/setup_error.h"

namespace cede::driver {

void OptionText::parse(const std::function<bool(std::string_view)>& flag,
                       const std::function<bool(std::string_view, std::string_view)>& value) {
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view key = item.substr(0, equals);
    if (!seen_.insert(key).second) fail(fmt::format("{} is given twice", key));
    if (equals == std::string_view::npos) {
      if (!flag(key)) fail(fmt::format("'{}' is not an option, or lacks its value", key));
    } else if (!value(key, item.substr(equals + 1))) {
      fail(fmt::format("'{}' is not an option", key));
    }
  }
}

std::uint64_t OptionText::number(std::string_view key, std::string_view given, std::uint64_t least,
                                 std::uint64_t most) const {
  std::uint64_t number = 0;
  const char* const end = given.data() + given.size();
  const auto [stop, error] = std::from_chars(given.data(), end, number);
  if (error != std::errc() || stop != end || number < least || number > most) {
    fail(fmt::format("{}={} is not a number from {} to {}", key, given, least, most));
  }
  return number;
}

std::string OptionText::words(std::string_view key, std::string_view given,
                              std::size_t most) const {
  if (given.empty()) fail(fmt::format("{} is empty", key));
  if (given.size() > most) fail(fmt::format("{} is longer than {} bytes", key, most));
  return std::string(given);
}

void OptionText::fail(const std::string& what) const {
  throw SetupError(fmt::format("{} '{}': {}", option_, text_, what));
}

}  // namespace cede::driver
