// SPDX-License-Identifier: Apache-2.0
#include "tests/report/quantity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace cede::report {
namespace {

struct Step {
  std::string_view unit;
  double size;  // in the smallest of them
};
constexpr std::array<Step, 4> kTimes = {{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
constexpr std::array<Step, 4> kMemory = {
    {{"B", 1}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}}};
constexpr std::array<Step, 4> kPrefixes = {{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}}};

// Three digits that mean something, and never fewer than the integer has.
std::string digits(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 0.001) return fmt::format("{:.1e}", value);
  const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 4);
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.find('.') == std::string::npos) return text;
  text.resize(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// The largest step that leaves at least one whole, the first where none does.
const Step& best_step(std::span<const Step> steps, double value) {
  const auto larger = std::ranges::find_if(
      steps.subspan(1), [&](const Step& step) { return std::abs(value) < step.size * 0.9995; });
  return *(larger - 1);
}

std::string behind(double value, std::string_view unit) {
  return unit.empty() ? digits(value) : fmt::format("{}\u00a0{}", digits(value), unit);
}

}  // namespace

std::string quantity(double value, std::string_view unit) {
  if (!std::isfinite(value)) return "-";
  if (unit == "x") return digits(value) + "\u00d7";
  for (const std::span<const Step> ladder : {std::span<const Step>(kTimes), {kMemory}}) {
    const auto given = std::ranges::find(ladder, unit, &Step::unit);
    if (given == ladder.end()) continue;
    // Zero is nothing of whatever it is counted in.
    const Step& step = value == 0 ? *given : best_step(ladder, value * given->size);
    return behind(value * given->size / step.size, step.unit == "us" ? "\u00b5s" : step.unit);
  }
  if (!unit.empty() && !unit.ends_with("/s")) return behind(value, unit);
  const Step& step = best_step(kPrefixes, value);
  return behind(value / step.size, fmt::format("{}{}", step.unit, unit));
}

double base_of(std::string_view unit) {
  return std::ranges::find(kMemory, unit, &Step::unit) == kMemory.end() ? 10 : 4;
}

}  // namespace cede::report
