// SPDX-License-Identifier: Apache-2.0
// Lines over a quantity that grows, with whiskers; each axis linear or logarithmic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/bench/spread.h"
#include "tests/report/markup.h"
#include "tests/report/plots/axis.h"
#include "tests/report/plots/table.h"
#include "tests/report/plots/tone.h"

namespace cede::report {

struct Point {
  double x = 0;
  bench::Spread y;
};

struct Series {
  std::string name;
  Tone tone = Tone::Peer;
  std::vector<Point> points;  // x rises
};

struct Lines {
  std::string x_name;  // "sessions"
  Scale x_scale = Scale::Log;
  std::string unit;  // of y, for quantity()
  Scale y_scale = Scale::Linear;
  std::vector<Series> series;
};

[[nodiscard]] Element draw(const Lines& lines, const std::string& title);
// The same as numbers.
[[nodiscard]] Table table_of(const Lines& lines);

}  // namespace cede::report
