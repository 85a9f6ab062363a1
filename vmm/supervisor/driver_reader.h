// SPDX-License-Identifier: Apache-2.0
// Reads a [[driver]] of a description. Private to description.cc.
#pragma once

#include <filesystem>

#include "vmm/supervisor/description.h"
#include "vmm/supervisor/table_reader.h"

namespace cede::supervisor {

// Relative paths start at `base`.
[[nodiscard]] Driver read_driver(const toml::table& table, const std::filesystem::path& base,
                                 Problems& problems);

}  // namespace cede::supervisor
