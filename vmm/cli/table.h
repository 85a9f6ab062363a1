// SPDX-License-Identifier: Apache-2.0
// Columns of text, as wide as they need to be.
#pragma once

#include <string>
#include <vector>

namespace cede::cli {

class Table {
 public:
  // A heading that begins with '>' is of a column of numbers: set to the right, without the '>'.
  explicit Table(const std::vector<std::string>& headings);
  // As many cells as there are headings.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cede::cli
