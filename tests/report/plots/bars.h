// SPDX-License-Identifier: Apache-2.0
// Groups of lying bars with whiskers from the least to the most. On a logarithmic axis a bar's
// length would say nothing: there they are dots.
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

struct Bar {
  std::string name;
  Tone tone = Tone::Peer;
  bench::Spread value;
};

struct BarGroup {
  std::string name;  // may be empty
  std::vector<Bar> bars;
};

struct Bars {
  std::string unit;  // of quantity()
  Scale scale = Scale::Linear;
  std::optional<double> mark;  // a value to compare with: a line across
  std::vector<BarGroup> groups;
};

[[nodiscard]] Element draw(const Bars& bars, const std::string& title);
// The same as numbers.
[[nodiscard]] Table table_of(const Bars& bars);

}  // namespace cede::report
