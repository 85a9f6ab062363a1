// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/rates.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <map>
#include <string_view>
#include <utility>

namespace cede::cli {
namespace {

namespace json = boost::json;

std::uint64_t number(const json::object& object, std::string_view key) {
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

bool same(const json::object& a, const json::object& b) {
  const auto agree = [&](const char* key) {
    const json::value* const x = a.if_contains(key);
    const json::value* const y = b.if_contains(key);
    return x == nullptr || y == nullptr ? x == y : *x == *y;
  };
  return agree("client") && agree("device") && agree("driver") && agree("uplink") && agree("life");
}

// The row of a list that is about the same, in the same life of its driver.
const json::object* find_row(const json::object& stats, const char* list,
                             const json::object& like) {
  const json::value* const rows = stats.if_contains(list);
  if (rows == nullptr) return nullptr;
  for (const json::value& row : rows->as_array()) {
    if (same(row.as_object(), like)) return &row.as_object();
  }
  return nullptr;
}

// One row at two moments, of which the first may be missing.
class Change {
 public:
  Change(const json::object* earlier, const json::object& device, double seconds)
      : device_(device), now_(device.at("stats").as_object()), seconds_(seconds) {
    if (earlier != nullptr) old_ = &earlier->at("stats").as_object();
  }

  [[nodiscard]] bool is_port() const { return device_.contains("mac"); }

  [[nodiscard]] DeviceRates volume() const {
    Histogram latency = histogram(now_);
    if (old_ != nullptr) {
      for (const auto& [edge, count] : histogram(*old_))
        latency[edge] = grown(count, latency[edge]);
    }
    return {.session = session(),
            .volume = text(device_, "driver") + '/' + text(device_, "volume"),
            .state = text(device_, "state"),
            .pages = number(device_, "pages"),
            .reads_per_second = per_second("reads"),
            .writes_per_second = per_second("writes"),
            .read_bytes_per_second = per_second("read_bytes"),
            .write_bytes_per_second = per_second("write_bytes"),
            .p50_ns = percentile(latency, 0.50),
            .p99_ns = percentile(latency, 0.99),
            .errors = number(now_, "errors")};
  }

  [[nodiscard]] PortRates port() const { return traffic(session(), "mac"); }
  [[nodiscard]] UplinkRates uplink() const { return traffic({}, "uplink"); }

 private:
  // `key` names the port on its driver.
  [[nodiscard]] PortRates traffic(std::string session, const char* key) const {
    PortRates rates{.session = std::move(session),
                    .port = text(device_, "driver") + '/' + text(device_, key),
                    .state = text(device_, "state"),
                    .pages = number(device_, "pages"),
                    .sent_frames_per_second = per_second("sent_frames"),
                    .sent_bytes_per_second = per_second("sent_bytes"),
                    .received_frames_per_second = per_second("received_frames"),
                    .received_bytes_per_second = per_second("received_bytes"),
                    .drops = {}};
    const json::object& drops = now_.at("drops").as_object();
    for (const auto& entry : drops) {
      if (const std::uint64_t count = number(drops, entry.key())) rates.drops[entry.key()] = count;
    }
    return rates;
  }

  [[nodiscard]] std::string session() const {
    return text(device_, "client") + '/' + text(device_, "device");
  }
  [[nodiscard]] double per_second(const char* key) const {
    const std::uint64_t before = old_ == nullptr ? 0 : number(*old_, key);
    return static_cast<double>(grown(before, number(now_, key))) / seconds_;
  }

  const json::object& device_;
  const json::object& now_;
  const json::object* old_ = nullptr;
  double seconds_;
};

}  // namespace

Rates rates_between(const json::object& before, const json::object& after, double seconds) {
  Rates rates;
  for (const json::value& value : after.at("devices").as_array()) {
    const json::object& device = value.as_object();
    const Change change(find_row(before, "devices", device), device, seconds);
    if (change.is_port()) {
      rates.ports.push_back(change.port());
    } else {
      rates.volumes.push_back(change.volume());
    }
  }
  if (const json::value* uplinks = after.if_contains("uplinks")) {
    for (const json::value& value : uplinks->as_array()) {
      const json::object& uplink = value.as_object();
      const Change change(find_row(before, "uplinks", uplink), uplink, seconds);
      rates.uplinks.push_back(change.uplink());
    }
  }
  return rates;
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
