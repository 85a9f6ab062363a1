// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/axis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace cede::report {
namespace {

constexpr int kMostTicks = 5;

// The least of 1, 2, 2.5, 5, 10, 20... that is not below.
double round_up(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 2.5, 5.0}) {
    if (step * power >= value * 0.9999) return step * power;
  }
  return 10 * power;
}

struct Extent {
  double least;
  double most;
};

// Of all that has a place; from one to one where nothing has.
Extent extent_of(std::span<const double> values) {
  Extent extent{std::numeric_limits<double>::max(), 0};
  for (const double value : values) {
    if (!std::isfinite(value) || value <= 0) continue;
    extent.least = std::min(extent.least, value);
    extent.most = std::max(extent.most, value);
  }
  return extent.most == 0 ? Extent{1, 1} : extent;
}

}  // namespace

Axis::Axis(Scale scale, std::span<const double> values, double base) : scale_(scale) {
  const auto [least, most] = extent_of(values);
  if (scale == Scale::Linear) {
    fit_linear(most);
  } else {
    fit_log(least, most, base);
  }
}

Axis Axis::tight(Scale scale, std::span<const double> values) {
  Axis axis(scale, values);
  const Extent extent = extent_of(values);
  if (scale == Scale::Linear || extent.most == extent.least) return axis;
  axis.low_ = extent.least;
  axis.high_ = extent.most;
  std::erase_if(axis.ticks_,
                [&](double tick) { return tick < extent.least || tick > extent.most; });
  return axis;
}

void Axis::fit_linear(double most) {
  const double step = round_up(most / (kMostTicks - 1));
  high_ = most;
  for (int tick = 0; step * tick <= most * 1.0001; ++tick) ticks_.push_back(step * tick);
}

// Powers of the base; of ten, with 2 and 5 between them where those are few. Powers are left out
// where they are many.
void Axis::fit_log(double least, double most, double base) {
  const int first = static_cast<int>(std::floor(std::log(least) / std::log(base) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log(most) / std::log(base) - 1e-9));
  const int stride = std::max(1, (last - first + kMostTicks - 1) / kMostTicks);
  std::vector<double> candidates;
  for (int power = first; power <= std::max(last, first + 1); power += stride) {
    const double size = std::pow(base, power);
    candidates.push_back(size);
    if (base == 10 && last - first <= 1) candidates.insert(candidates.end(), {2 * size, 5 * size});
  }
  // From the tick below the least to the one above the most.
  const auto begin = std::ranges::upper_bound(candidates, least * 1.0001);
  const auto end = std::ranges::lower_bound(candidates, most * 0.9999);
  ticks_.assign(begin == candidates.begin() ? begin : begin - 1,
                end == candidates.end() ? end : end + 1);
  if (ticks_.size() < 2) ticks_ = {ticks_.front(), base * ticks_.front()};
  low_ = ticks_.front();
  high_ = std::max(ticks_.back(), most);
}

double Axis::place(double value) const {
  if (scale_ == Scale::Linear) return std::clamp(value / high_, 0.0, 1.0);
  if (!(value > low_)) return 0;
  return std::min(1.0, std::log(value / low_) / std::log(high_ / low_));
}

}  // namespace cede::report
