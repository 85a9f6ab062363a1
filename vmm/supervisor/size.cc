// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/size.h"

#include <charconv>
#include <system_error>

namespace cede::supervisor {
namespace {

constexpr std::string_view kSuffixes = "KMGT";

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  std::size_t shift = 0;
  if (!text.empty()) {
    const std::size_t suffix = kSuffixes.find(text.back());
    if (suffix != std::string_view::npos) {
      shift = 10 * (suffix + 1);
      text.remove_suffix(1);
    }
  }
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  if (number > (UINT64_MAX >> shift)) return std::nullopt;
  return number << shift;
}

std::string format_size(std::uint64_t bytes) {
  std::size_t power = 0;
  while (power < kSuffixes.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++power;
  }
  std::string text = std::to_string(bytes);
  if (power > 0) text += kSuffixes[power - 1];
  return text;
}

}  // namespace cede::supervisor
