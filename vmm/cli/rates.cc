// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/rates.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <map>
#include <string_view>

namespace cede::cli {
namespace {

namespace json = boost::json;

std::uint64_t number(const json::object& object, const char* key) {
  json::error_code error;
  const json::value* value = object.if_contains(key);
  return value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
}

std::string text(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

// Lower edge of a bucket, in nanoseconds, to its count.
using Histogram = std::map<std::uint64_t, std::uint64_t>;

Histogram histogram(const json::object& stats) {
  Histogram result;
  for (const json::value& value : stats.at("latency").as_array()) {
    const json::array& pair = value.as_array();
    result[pair.at(0).to_number<std::uint64_t>()] = pair.at(1).to_number<std::uint64_t>();
  }
  return result;
}

std::uint64_t grown(std::uint64_t before, std::uint64_t after) {
  return after >= before ? after - before : 0;
}

// In floating point, for the counts may add up to more than 64 bits hold.
std::uint64_t percentile(const Histogram& counts, double share) {
  double total = 0;
  for (const auto& [edge, count] : counts) total += static_cast<double>(count);
  double seen = 0;
  for (const auto& [edge, count] : counts) {
    seen += static_cast<double>(count);
    if (count != 0 && seen >= total * share) return edge;
  }
  return 0;
}

std::string scaled(double value, std::string_view unit) {
  const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, decimals, unit);
}

const json::object* find_device(const json::object& stats, const json::object& like) {
  for (const json::value& value : stats.at("devices").as_array()) {
    const json::object& device = value.as_object();
    if (device.at("client") == like.at("client") && device.at("device") == like.at("device") &&
        device.at("life") == like.at("life")) {
      return &device;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<DeviceRates> rates_between(const json::object& before, const json::object& after,
                                       double seconds) {
  std::vector<DeviceRates> result;
  const json::object nothing{{"latency", json::array()}};
  for (const json::value& value : after.at("devices").as_array()) {
    const json::object& device = value.as_object();
    const json::object* earlier = find_device(before, device);
    const json::object& old = earlier == nullptr ? nothing : earlier->at("stats").as_object();
    const json::object& now = device.at("stats").as_object();
    const auto per_second = [&](const char* key) {
      return static_cast<double>(grown(number(old, key), number(now, key))) / seconds;
    };
    Histogram latency = histogram(now);
    for (const auto& [edge, count] : histogram(old)) latency[edge] = grown(count, latency[edge]);
    result.push_back({.session = text(device, "client") + '/' + text(device, "device"),
                      .volume = text(device, "driver") + '/' + text(device, "volume"),
                      .state = text(device, "state"),
                      .pages = number(device, "pages"),
                      .reads_per_second = per_second("reads"),
                      .writes_per_second = per_second("writes"),
                      .read_bytes_per_second = per_second("read_bytes"),
                      .write_bytes_per_second = per_second("write_bytes"),
                      .p50_ns = percentile(latency, 0.50),
                      .p99_ns = percentile(latency, 0.99),
                      .errors = number(now, "errors")});
  }
  return result;
}

std::string short_count(double value) {
  constexpr std::string_view kUnits = "kMGTPE";
  if (value < 9999.5) return fmt::format("{:.0f}", value);
  std::size_t unit = 0;
  value /= 1000;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return scaled(value, kUnits.substr(unit, 1));
}

std::string short_time(std::uint64_t nanoseconds) {
  constexpr std::array<std::string_view, 3> kUnits{"ns", "us", "ms"};
  if (nanoseconds == 0) return "-";
  double value = static_cast<double>(nanoseconds);
  for (const std::string_view unit : kUnits) {
    if (value < 999.5) return unit == "ns" ? fmt::format("{:.0f}ns", value) : scaled(value, unit);
    value /= 1000;
  }
  return value < 999.5 ? scaled(value, "s") : ">999s";
}

}  // namespace cede::cli
