// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/table.h"

namespace cede::report {

Element draw(const Table& table, const std::string& title) {
  Element heading("tr");
  for (const std::string& text : table.headings) {
    Element cell(text.empty() ? "td" : "th", text);
    heading.add(text.empty() ? cell : cell.set("scope", "col"));
  }
  Element body("tbody");
  for (const std::vector<std::string>& row : table.rows) {
    Element line("tr");
    for (std::size_t i = 0; i < row.size(); ++i) {
      line.add(i == 0 ? Element("th", row[i]).set("scope", "row") : Element("td", row[i]));
    }
    body.add(line);
  }
  Element whole("table");
  whole.add(Element("caption", title)).add(Element("thead").add(heading)).add(body);
  return Element("div")
      .set("class", "wide")
      .set("role", "region")
      .set("aria-label", title)
      .set("tabindex", "0")
      .add(whole);
}

}  // namespace cede::report
