// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them: "64M" is 64 * 1024 * 1024 bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cede::supervisor {

// Digits and at most one of K, M, G, T (powers of 1024). Nothing for anything else, or if the bytes
// do not fit in 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

// The shortest exact spelling: 67108864 is "64M", 1000 is "1000".
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace cede::supervisor
