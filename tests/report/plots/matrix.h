// SPDX-License-Identifier: Apache-2.0
// A heat matrix. Its cells are text, so it is a table: it can be read out, wraps and scrolls. On a
// phone a matrix of few words scrolls, and one of many becomes a card for each row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/report/markup.h"

namespace cede::report {

// From bad to good, and none of both. Each has a sign beside its colour where it is a verdict.
enum class Heat : std::uint8_t { None, Bad, Poor, Fair, Good };

struct MatrixCell {
  std::string text;
  Heat heat = Heat::None;
  std::vector<std::string> notes;  // smaller, below
};

struct MatrixRow {
  std::string name;
  std::string note;  // smaller, below
  std::string link;  // an id on the page; may be empty
  std::vector<MatrixCell> cells;
};

struct Matrix {
  std::vector<std::string> columns;
  std::vector<MatrixRow> rows;  // with a cell for each column
  bool cards = false;           // on a phone
};

[[nodiscard]] Element draw(const Matrix& matrix, const std::string& title);

}  // namespace cede::report
