// SPDX-License-Identifier: Apache-2.0
// Reads results of which some fields may be missing, or of another type than expected: a report
// shows what is there. All references are to what was passed in, or to something empty.
#pragma once

#include <boost/json.hpp>
#include <cmath>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/spread.h"

namespace cede::report {

// A member; null where there is none.
[[nodiscard]] const boost::json::value& member(const boost::json::value& of, std::string_view name);
// A member of a member of a member...
[[nodiscard]] const boost::json::value& member(const boost::json::value& of,
                                               std::initializer_list<std::string_view> path);

// The items of an array; none where it is not one.
[[nodiscard]] std::span<const boost::json::value> items(const boost::json::value& of);
[[nodiscard]] std::span<const boost::json::value> items(const boost::json::value& of,
                                                        std::string_view name);

// Not a number where there is none.
[[nodiscard]] double number(const boost::json::value& value);
[[nodiscard]] double number(const boost::json::value& of, std::string_view name);

// Empty where it is no text. Other values as JSON.
[[nodiscard]] std::string words(const boost::json::value& value);
[[nodiscard]] std::string words(const boost::json::value& of, std::string_view name);

// Of numbers; `median`, `min` and `max` of an object; one number alone. Not numbers where there
// are none.
[[nodiscard]] bench::Spread spread(const boost::json::value& value);
// Of one figure of several samples.
template <class Figure>
[[nodiscard]] bench::Spread spread_over(std::span<const boost::json::value> samples, Figure figure);
[[nodiscard]] bench::Spread no_spread();
[[nodiscard]] bool is_there(const bench::Spread& spread);

template <class Figure>
bench::Spread spread_over(std::span<const boost::json::value> samples, Figure figure) {
  std::vector<double> values;
  for (const boost::json::value& sample : samples) {
    const double value = figure(sample);
    if (std::isfinite(value)) values.push_back(value);
  }
  return values.empty() ? no_spread() : bench::spread_of(std::move(values));
}

}  // namespace cede::report
