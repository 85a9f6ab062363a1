// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/matrix.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace cede::report {
namespace {

std::string_view to_class(Heat heat) {
  constexpr std::array<std::string_view, 5> kClasses = {"h-none", "h-bad", "h-poor", "h-fair",
                                                        "h-good"};
  return kClasses.at(static_cast<std::size_t>(heat));
}

Element row_heading(const MatrixRow& row) {
  Element heading("th");
  heading.set("scope", "row");
  if (row.link.empty()) {
    heading.say(row.name);
  } else {
    heading.add(Element("a", row.name).set("href", "#" + row.link));
  }
  if (!row.note.empty()) heading.add(Element("small", row.note));
  return heading;
}

Element cell_of(const MatrixCell& cell, const std::string& column) {
  Element element("td");
  // The column's name, for cards.
  element.set("class", to_class(cell.heat)).set("data-column", column);
  element.add(Element("b", cell.text));
  for (const std::string& note : cell.notes) element.add(Element("small", note));
  return element;
}

}  // namespace

Element draw(const Matrix& matrix, const std::string& title) {
  Element heading("tr");
  heading.add(Element("td"));
  for (const std::string& column : matrix.columns) {
    heading.add(Element("th", column).set("scope", "col"));
  }
  Element body("tbody");
  for (const MatrixRow& row : matrix.rows) {
    Element line("tr");
    line.add(row_heading(row));
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      line.add(cell_of(row.cells[i], matrix.columns[i]));
    }
    body.add(line);
  }
  Element table("table");
  table.set("class", matrix.cards ? "matrix rows" : "matrix");
  table.add(Element("caption", title)).add(Element("thead").add(heading)).add(body);
  return Element("div")
      .set("class", "wide")
      .set("role", "region")
      .set("aria-label", title)
      .set("tabindex", "0")
      .add(table);
}

}  // namespace cede::report
