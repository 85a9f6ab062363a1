// SPDX-License-Identifier: Apache-2.0
#include "tests/report/reading.h"

#include <limits>

namespace cede::report {

namespace json = boost::json;

const json::value& member(const json::value& of, std::string_view name) {
  static const json::value nothing;
  const json::object* object = of.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains(name);
  return found == nullptr ? nothing : *found;
}

const json::value& member(const json::value& of, std::initializer_list<std::string_view> path) {
  const json::value* at = &of;
  for (const std::string_view name : path) at = &member(*at, name);
  return *at;
}

std::span<const json::value> items(const json::value& of) {
  const json::array* array = of.if_array();
  if (array == nullptr) return {};
  return {array->data(), array->size()};
}

std::span<const json::value> items(const json::value& of, std::string_view name) {
  return items(member(of, name));
}

double number(const json::value& value) {
  boost::system::error_code none;
  const double found = value.is_number() ? value.to_number<double>(none) : 0;
  return value.is_number() && !none ? found : std::numeric_limits<double>::quiet_NaN();
}

double number(const json::value& of, std::string_view name) {
  return number(member(of, name));
}

std::string words(const json::value& value) {
  if (value.is_null()) return {};
  if (const json::string* text = value.if_string()) return std::string(*text);
  return json::serialize(value);
}

std::string words(const json::value& of, std::string_view name) {
  return words(member(of, name));
}

bench::Spread no_spread() {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  return {kNone, kNone, kNone};
}

bool is_there(const bench::Spread& spread) {
  return std::isfinite(spread.median);
}

bench::Spread spread(const json::value& value) {
  if (value.is_object()) {
    const double median = number(value, "median");
    const double least = number(value, "min");
    const double most = number(value, "max");
    return {median, std::isfinite(least) ? least : median, std::isfinite(most) ? most : median};
  }
  if (value.is_array()) {
    return spread_over(items(value), [](const json::value& item) { return number(item); });
  }
  const double alone = number(value);
  return {alone, alone, alone};
}

}  // namespace cede::report
