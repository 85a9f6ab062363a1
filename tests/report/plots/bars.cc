// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/bars.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/report/plots/frame.h"
#include "tests/report/quantity.h"

namespace cede::report {
namespace {

constexpr double kRow = 19;
constexpr double kHeading = 20;
constexpr double kFoot = 20;
constexpr double kThick = 11;

struct Layout {
  double left = 0;   // where the axis begins
  double right = 0;  // and ends: beyond it there are the numbers
  double top = 0;
  double bottom = 0;
};

std::string number(const Bars& bars, double value) {
  return quantity(value, bars.unit);
}

Axis axis_of(const Bars& bars) {
  std::vector<double> values;
  for (const BarGroup& group : bars.groups) {
    for (const Bar& bar : group.bars) {
      values.insert(values.end(), {bar.value.median, bar.value.least, bar.value.most});
    }
  }
  if (bars.mark) values.push_back(*bars.mark);
  return {bars.scale, values, base_of(bars.unit)};
}

Layout layout_of(const Bars& bars) {
  double names = 0;
  double numbers = 0;
  double height = 4;
  for (const BarGroup& group : bars.groups) {
    if (!group.name.empty()) height += kHeading;
    for (const Bar& bar : group.bars) {
      names = std::max(names, letters(bar.name));
      numbers = std::max(numbers, letters(number(bars, bar.value.median)));
      height += kRow;
    }
  }
  return {std::min(names * kLetter + 6, kWidth / 2), kRight - numbers * kLetter - 8, 2, height};
}

Element grid(const Bars& bars, const Axis& axis, const Layout& at) {
  Element group("g");
  const auto x = [&](double value) { return at.left + axis.place(value) * (at.right - at.left); };
  // Ticks whose numbers would run into the one before go without.
  double free = 0;
  for (const double tick : axis.ticks()) {
    group.add(line(x(tick), at.top, x(tick), at.bottom, "grid"));
    const std::string text = number(bars, tick);
    const double half = letters(text) * kLetter / 2;
    const double middle = std::min(x(tick), kRight - half);
    if (middle - half < free) continue;
    group.add(label(middle, at.bottom + 14, "middle", "tick", text));
    free = middle + half + 6;
  }
  if (bars.mark) group.add(line(x(*bars.mark), at.top, x(*bars.mark), at.bottom, "mark"));
  return group;
}

Element row(const Bars& bars, const Bar& bar, const Axis& axis, const Layout& at, double y) {
  const auto x = [&](double value) { return at.left + axis.place(value) * (at.right - at.left); };
  const double middle = y + kRow / 2;
  Element group("g");
  group.set("class", to_class(bar.tone));
  group.add(
      Element("title", fmt::format("{}: {} ({} to {})", bar.name, number(bars, bar.value.median),
                                   number(bars, bar.value.least), number(bars, bar.value.most))));
  group.add(label(0, middle + 4, "start", "name", bar.name));
  if (bars.scale == Scale::Linear) {
    Element rectangle("rect");
    rectangle.set("x", at.left).set("y", middle - kThick / 2);
    rectangle.set("width", std::max(1.0, x(bar.value.median) - at.left)).set("height", kThick);
    group.add(rectangle.set("class", "fill"));
  } else {
    Element dot("circle");
    group.add(
        dot.set("cx", x(bar.value.median)).set("cy", middle).set("r", 5).set("class", "fill"));
  }
  if (bar.value.most > bar.value.least) {
    const double from = x(bar.value.least);
    const double to = x(bar.value.most);
    group.add(line(from, middle, to, middle, "whisker"));
    group.add(line(from, middle - 3, from, middle + 3, "whisker"));
    group.add(line(to, middle - 3, to, middle + 3, "whisker"));
  }
  group.add(label(kRight, middle + 4, "end", "number", number(bars, bar.value.median)));
  return group;
}

}  // namespace

Element draw(const Bars& bars, const std::string& title) {
  const Axis axis = axis_of(bars);
  const Layout at = layout_of(bars);
  Element svg = drawing(at.bottom + kFoot, title, "The table below has its numbers.");
  svg.add(grid(bars, axis, at));
  double y = at.top;
  for (const BarGroup& group : bars.groups) {
    if (!group.name.empty()) {
      svg.add(label(0, y + 14, "start", "group", group.name));
      y += kHeading;
    }
    for (const Bar& bar : group.bars) {
      svg.add(row(bars, bar, axis, at, y));
      y += kRow;
    }
  }
  return svg;
}

Table table_of(const Bars& bars) {
  Table table{{"", "", "median", "min", "max"}, {}};
  for (const BarGroup& group : bars.groups) {
    for (const Bar& bar : group.bars) {
      table.rows.push_back({group.name, bar.name, number(bars, bar.value.median),
                            number(bars, bar.value.least), number(bars, bar.value.most)});
    }
  }
  return table;
}

}  // namespace cede::report
