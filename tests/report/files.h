// SPDX-License-Identifier: Apache-2.0
// Whole files as text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace cede::report {

// Nothing where there is none that can be read.
[[nodiscard]] std::optional<std::string> read_file(const std::filesystem::path& path);
// Throws std::runtime_error.
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace cede::report
