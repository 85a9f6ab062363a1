// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/frame.h"

#include <fmt/format.h>

#include <algorithm>

namespace cede::report {

Element drawing(double height, std::string_view title, std::string_view description) {
  Element svg("svg");
  svg.set("xmlns", "http://www.w3.org/2000/svg")
      .set("viewBox", fmt::format("0 0 {} {}", kWidth, height))
      .set("role", "img")
      .set("tabindex", "0")
      .set("aria-label", fmt::format("{}. {}", title, description));
  return svg;
}

Element label(double x, double y, std::string_view anchor, std::string_view kind,
              std::string_view text) {
  Element element("text", text);
  element.set("x", x).set("y", y).set("text-anchor", anchor).set("class", kind);
  return element;
}

Element line(double x1, double y1, double x2, double y2, std::string_view kind) {
  Element element("line");
  element.set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2).set("class", kind);
  return element;
}

double letters(std::string_view text) {
  // UTF-8: all but continuation bytes.
  return static_cast<double>(
      std::ranges::count_if(text, [](char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace cede::report
