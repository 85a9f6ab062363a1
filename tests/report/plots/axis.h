// SPDX-License-Identifier: Apache-2.0
// From values to places, linear or logarithmic, with ticks at round values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cede::report {

enum class Scale : std::uint8_t { Linear, Log };

class Axis {
 public:
  // Room for all `values`: from zero where it is linear, and by whole ticks, powers of `base`,
  // where it is not. What has no place (not finite, not positive) does not count.
  Axis(Scale scale, std::span<const double> values, double base = 10);
  // The same, and it ends where the values do.
  [[nodiscard]] static Axis tight(Scale scale, std::span<const double> values);

  // 0 at the low end, 1 at the high one; values beyond the ends are at the ends.
  [[nodiscard]] double place(double value) const;
  // Rising; the ends are among them or near.
  [[nodiscard]] const std::vector<double>& ticks() const noexcept { return ticks_; }

 private:
  void fit_linear(double most);
  void fit_log(double least, double most, double base);

  Scale scale_;
  double low_ = 0;
  double high_ = 1;
  std::vector<double> ticks_;
};

}  // namespace cede::report
