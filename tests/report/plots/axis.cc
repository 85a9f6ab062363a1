// SPDX-License-Identifier: Apache-2.0
#include "tests/report/plots/axis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace cede::report {
namespace {

constexpr int kMostTicks = 5;

// The least of 1, 2, 5, 10, 20... that is not below.
double round_up(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * power >= value * 0.9999) return step * power;
  }
  return 10 * power;
}

}  // namespace

Axis::Axis(Scale scale, std::span<const double> values) : scale_(scale) {
  double least = std::numeric_limits<double>::max();
  double most = 0;
  for (const double value : values) {
    if (!std::isfinite(value) || value <= 0) continue;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  if (most == 0) {
    least = 1;
    most = 1;
  }
  if (scale == Scale::Linear) {
    fit_linear(most);
  } else {
    fit_log(least, most);
  }
}

void Axis::fit_linear(double most) {
  const double step = round_up(most / (kMostTicks - 1));
  high_ = most;
  for (int tick = 0; step * tick <= most * 1.0001; ++tick) ticks_.push_back(step * tick);
}

// Powers of ten; with 2 and 5 between them where those are few. Powers are left out where they are
// many.
void Axis::fit_log(double least, double most) {
  const int first = static_cast<int>(std::floor(std::log10(least) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(most) - 1e-9));
  const int stride = std::max(1, (last - first + kMostTicks - 2) / (kMostTicks - 1));
  std::vector<double> candidates;
  for (int power = first; power <= std::max(last, first + 1); power += stride) {
    const double size = std::pow(10.0, power);
    candidates.push_back(size);
    if (last - first <= 1) candidates.insert(candidates.end(), {2 * size, 5 * size});
  }
  // From the tick below the least to the one above the most.
  const auto begin = std::ranges::upper_bound(candidates, least * 1.0001);
  const auto end = std::ranges::lower_bound(candidates, most * 0.9999);
  ticks_.assign(begin == candidates.begin() ? begin : begin - 1,
                end == candidates.end() ? end : end + 1);
  if (ticks_.size() < 2) ticks_ = {ticks_.front(), 10 * ticks_.front()};
  low_ = ticks_.front();
  high_ = std::max(ticks_.back(), most);
}

double Axis::place(double value) const {
  if (scale_ == Scale::Linear) return std::clamp(value / high_, 0.0, 1.0);
  if (!(value > low_)) return 0;
  return std::min(1.0, std::log(value / low_) / std::log(high_ / low_));
}

}  // namespace cede::report
