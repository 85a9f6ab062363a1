// SPDX-License-Identifier: Apache-2.0
// Rows of text and numbers. Wider than the screen, it scrolls by itself.
#pragma once

#include <string>
#include <vector>

#include "tests/report/markup.h"

namespace cede::report {

struct Table {
  std::vector<std::string> headings;           // the columns
  std::vector<std::vector<std::string>> rows;  // of as many cells each; the first one names the row
};

[[nodiscard]] Element draw(const Table& table, const std::string& title);

}  // namespace cede::report
