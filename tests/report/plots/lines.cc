// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "tests/report/plots/frame.h"
#include "tests/report/quantity.h"

namespace cede::report {
namespace {

constexpr double kTop = 8;
constexpr double kBottom = 190;
constexpr double kFoot = 36;    // ticks and the name of x
constexpr double kKeyRow = 18;  // of the key below, where there is more than one line
constexpr double kEdge = 12;    // between the frame and the outermost marks

// Every line has a mark of its own, for those to whom colours look alike.
constexpr std::array<std::string_view, 4> kMarks = {"M-4 -4h8v8h-8z", "M0 -5L5 0L0 5L-5 0z",
                                                    "M-4 4L0 -5L4 4z", "M-4 -4L4 4M4 -4L-4 4"};

class Canvas {
 public:
  explicit Canvas(const Lines& lines)
      : x_axis_(Axis::tight(lines.x_scale, values(lines, x_of))),
        y_axis_(lines.y_scale, values(lines, y_of), base_of(lines.unit)) {
    for (const double tick : y_axis_.ticks()) {
      left_ = std::max(left_, letters(quantity(tick, lines.unit)) * kLetter + 8);
    }
  }

  [[nodiscard]] double x(double value) const {
    return left_ + kEdge + x_axis_.place(value) * (kRight - kEdge - kEdge - left_);
  }
  [[nodiscard]] double y(double value) const {
    return kBottom - y_axis_.place(value) * (kBottom - kTop);
  }
  [[nodiscard]] double left() const { return left_; }
  [[nodiscard]] const Axis& y_axis() const { return y_axis_; }

 private:
  static std::vector<double> x_of(const Point& point) { return {point.x}; }
  static std::vector<double> y_of(const Point& point) {
    return {point.y.least, point.y.median, point.y.most};
  }
  static std::vector<double> values(const Lines& lines,
                                    std::vector<double> (*of)(const Point& point)) {
    std::vector<double> all;
    for (const Series& series : lines.series) {
      for (const Point& point : series.points) {
        const std::vector<double> some = of(point);
        all.insert(all.end(), some.begin(), some.end());
      }
    }
    return all;
  }

  Axis x_axis_;
  Axis y_axis_;
  double left_ = 0;
};

std::set<double> places_of_x(const Lines& lines) {
  std::set<double> places;
  for (const Series& series : lines.series) {
    for (const Point& point : series.points) places.insert(point.x);
  }
  return places;
}

Element grid(const Lines& lines, const Canvas& canvas) {
  Element group("g");
  for (const double tick : canvas.y_axis().ticks()) {
    const double y = canvas.y(tick);
    group.add(line(canvas.left(), y, kRight, y, "grid"));
    group.add(label(canvas.left() - 6, y + 4, "end", "tick", quantity(tick, lines.unit)));
  }
  // What was measured makes better ticks than round numbers do.
  double free = 0;
  for (const double x : places_of_x(lines)) {
    group.add(line(canvas.x(x), kBottom, canvas.x(x), kBottom + 4, "axis"));
    const std::string text = quantity(x, "");
    const double half = letters(text) * kLetter / 2;
    if (canvas.x(x) - half < free) continue;
    group.add(label(canvas.x(x), kBottom + 16, "middle", "tick", text));
    free = canvas.x(x) + half + 5;
  }
  group.add(line(canvas.left(), kBottom, kRight, kBottom, "axis"));
  group.add(label((canvas.left() + kRight) / 2, kBottom + 31, "middle", "tick", lines.x_name));
  return group;
}

Element mark(double x, double y, std::size_t number) {
  Element path("path");
  path.set("d", kMarks[number % kMarks.size()]).set("class", "point");
  return path.set("transform", fmt::format("translate({:.1f} {:.1f})", x, y));
}

Element one_line(const Lines& lines, std::size_t number, const Canvas& canvas) {
  const Series& series = lines.series[number];
  std::string way;
  Element marks("g");
  for (const Point& point : series.points) {
    if (!std::isfinite(point.y.median)) continue;
    const double x = canvas.x(point.x);
    const double y = canvas.y(point.y.median);
    way += fmt::format("{}{:.1f} {:.1f}", way.empty() ? "M" : "L", x, y);
    if (point.y.most > point.y.least) {
      marks.add(line(x, canvas.y(point.y.least), x, canvas.y(point.y.most), "whisker"));
    }
    Element point_mark("g");
    point_mark.add(
        Element("title", fmt::format("{}, {} {}: {}", series.name, quantity(point.x, ""),
                                     lines.x_name, quantity(point.y.median, lines.unit))));
    marks.add(point_mark.add(mark(x, y, number)));
  }
  Element group("g");
  group.set("class", to_class(series.tone));
  return group.add(Element("path").set("d", way.empty() ? "M0 0" : way).set("class", "way"))
      .add(marks);
}

Element key_row(const Series& series, std::size_t number, double y) {
  Element group("g");
  group.set("class", to_class(series.tone));
  group.add(line(2, y, 26, y, "way")).add(mark(14, y, number));
  return group.add(label(34, y + 4, "start", "name", series.name));
}

}  // namespace

Element draw(const Lines& lines, const std::string& title) {
  const Canvas canvas(lines);
  const bool keyed = lines.series.size() > 1;
  const double keys = keyed ? static_cast<double>(lines.series.size()) * kKeyRow + 6 : 0;
  Element svg = drawing(kBottom + kFoot + keys, title, "The table below has its numbers.");
  svg.add(grid(lines, canvas));
  for (std::size_t i = 0; i < lines.series.size(); ++i) {
    svg.add(one_line(lines, i, canvas));
    if (!keyed) continue;
    svg.add(key_row(lines.series[i], i, kBottom + kFoot + 12 + static_cast<double>(i) * kKeyRow));
  }
  return svg;
}

Table table_of(const Lines& lines) {
  Table table{{lines.x_name, "", "median", "min", "max"}, {}};
  for (const Series& series : lines.series) {
    for (const Point& point : series.points) {
      table.rows.push_back(
          {quantity(point.x, ""), series.name, quantity(point.y.median, lines.unit),
           quantity(point.y.least, lines.unit), quantity(point.y.most, lines.unit)});
    }
  }
  return table;
}

}  // namespace cede::report
