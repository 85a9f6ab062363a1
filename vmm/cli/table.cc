// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace cede::cli {

Table::Table(const std::vector<std::string>& headings) {
  rows_.emplace_back();
  for (const std::string& heading : headings) {
    right_.push_back(heading.starts_with('>'));
    rows_.front().push_back(right_.back() ? heading.substr(1) : heading);
  }
}

std::string Table::text() const {
  std::vector<std::size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) line += "  ";
      line += right_[i] ? fmt::format("{:>{}}", row[i], widths[i])
                        : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace cede::cli
