// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/rates.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdint>
#include <utility>
#include <vector>

namespace cede::cli {
namespace {

namespace json = boost::json;

// Each latency: the edge of a bucket, and what it counts.
json::object stats(std::uint64_t life, std::uint64_t reads, std::uint64_t bytes,
                   const std::vector<std::pair<std::uint64_t, std::uint64_t>>& latencies) {
  json::array latency;
  for (const auto& [edge, count] : latencies) latency.push_back(json::array{edge, count});
  return {{"devices",
           json::array{json::object{{"client", "alice"},
                                    {"device", "vda"},
                                    {"driver", "disk0"},
                                    {"volume", "a"},
                                    {"state", "connected"},
                                    {"pages", 16},
                                    {"life", life},
                                    {"stats", json::object{{"reads", reads},
                                                           {"read_bytes", bytes},
                                                           {"writes", 0},
                                                           {"write_bytes", 0},
                                                           {"errors", 3},
                                                           {"latency", std::move(latency)}}}}}}};
}

TEST(Rates, AreDifferencesOverTime) {
  const auto rates =
      rates_between(stats(1, 100, 4096, {{1000, 100}}),
                    stats(1, 300, 12288, {{1000, 100}, {2000, 198}, {9000, 2}}), 2.0);
  ASSERT_EQ(rates.volumes.size(), 1U);
  EXPECT_EQ(rates.volumes[0].session, "alice/vda");
  EXPECT_EQ(rates.volumes[0].volume, "disk0/a");
  EXPECT_DOUBLE_EQ(rates.volumes[0].reads_per_second, 100);
  EXPECT_DOUBLE_EQ(rates.volumes[0].read_bytes_per_second, 4096);
  EXPECT_EQ(rates.volumes[0].p50_ns, 2000U);
  EXPECT_EQ(rates.volumes[0].p99_ns, 2000U);
  EXPECT_EQ(rates.volumes[0].errors, 3U);
}

TEST(Rates, P99IsTheSlowestHundredth) {
  const auto rates = rates_between(stats(1, 0, 0, {}), stats(1, 100, 0, {{10, 98}, {500, 2}}), 1.0);
  EXPECT_EQ(rates.volumes[0].p50_ns, 10U);
  EXPECT_EQ(rates.volumes[0].p99_ns, 500U);
}

TEST(Rates, ANewLifeOfTheDriverCountsFromZero) {
  const auto rates =
      rates_between(stats(1, 1'000'000, 0, {{10, 1'000'000}}), stats(2, 50, 0, {{20, 50}}), 1.0);
  EXPECT_DOUBLE_EQ(rates.volumes[0].reads_per_second, 50);
  EXPECT_EQ(rates.volumes[0].p50_ns, 20U);
}

TEST(Rates, CountersThatFallOrAreAbsurdStayFinite) {
  const auto fell = rates_between(stats(1, 500, 0, {{10, 9}}), stats(1, 3, 0, {}), 1.0);
  EXPECT_DOUBLE_EQ(fell.volumes[0].reads_per_second, 0);
  EXPECT_EQ(fell.volumes[0].p50_ns, 0U);
  const auto absurd =
      rates_between(stats(1, 0, 0, {}),
                    stats(1, UINT64_MAX, UINT64_MAX, {{10, UINT64_MAX}, {20, UINT64_MAX}}), 0.1);
  EXPECT_LE(short_count(absurd.volumes[0].reads_per_second).size(), 7U);
  EXPECT_EQ(absurd.volumes[0].p50_ns, 10U);
  EXPECT_EQ(absurd.volumes[0].p99_ns, 20U);
}

json::object port_stats(std::uint64_t frames, std::uint64_t spoofed) {
  return {
      {"devices",
       json::array{json::object{
           {"client", "alice"},
           {"device", "eth0"},
           {"driver", "sw0"},
           {"mac", "52:54:00:00:00:01"},
           {"state", "connected"},
           {"pages", 512},
           {"life", 1},
           {"stats", json::object{{"sent_frames", frames},
                                  {"sent_bytes", frames * 100},
                                  {"received_frames", 7},
                                  {"received_bytes", 700},
                                  {"drops", json::object{{"spoofed", spoofed}, {"storm", 0}}}}}}}}};
}

TEST(Rates, OfAPortAreFramesBytesAndDropsByReason) {
  const auto rates = rates_between(port_stats(100, 3), port_stats(300, 5), 2.0);
  EXPECT_TRUE(rates.volumes.empty());
  ASSERT_EQ(rates.ports.size(), 1U);
  const PortRates& port = rates.ports[0];
  EXPECT_EQ(port.session, "alice/eth0");
  EXPECT_EQ(port.port, "sw0/52:54:00:00:00:01");
  EXPECT_DOUBLE_EQ(port.sent_frames_per_second, 100);
  EXPECT_DOUBLE_EQ(port.sent_bytes_per_second, 10'000);
  EXPECT_DOUBLE_EQ(port.received_frames_per_second, 0);
  EXPECT_EQ(port.drops, (std::map<std::string, std::uint64_t>{{"spoofed", 5}}));
}

TEST(Rates, OfAnUplinkAreThoseOfWhoeverIsOutside) {
  const auto at = [](std::uint64_t frames, std::uint64_t life, const char* state) {
    json::object all = port_stats(1, 0);
    json::object row = all.at("devices").at(0).as_object();
    for (const char* key : {"client", "device", "mac", "pages"}) row.erase(key);
    row["uplink"] = "cede0";
    row["state"] = state;
    row["life"] = life;
    row["stats"].as_object()["sent_frames"] = frames;
    all["uplinks"] = json::array{std::move(row)};
    return all;
  };
  const auto rates = rates_between(at(100, 1, "up"), at(300, 1, "down"), 2.0);
  ASSERT_EQ(rates.uplinks.size(), 1U);
  EXPECT_EQ(rates.uplinks[0].session, "");
  EXPECT_EQ(rates.uplinks[0].port, "sw0/cede0");
  EXPECT_EQ(rates.uplinks[0].state, "down");
  EXPECT_DOUBLE_EQ(rates.uplinks[0].sent_frames_per_second, 100);
  const auto next_life = rates_between(at(100, 1, "up"), at(30, 2, "up"), 1.0);
  EXPECT_DOUBLE_EQ(next_life.uplinks[0].sent_frames_per_second, 30);
}

TEST(Rates, NumbersAreShort) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(9999), "9999");
  EXPECT_EQ(short_count(12'345), "12.3k");
  EXPECT_EQ(short_count(999'600), "1.00M");
  EXPECT_EQ(short_count(1.844e19), "18.4E");
  EXPECT_EQ(short_time(0), "-");
  EXPECT_EQ(short_time(850), "850ns");
  EXPECT_EQ(short_time(12'345), "12.3us");
  EXPECT_EQ(short_time(4'100'000), "4.10ms");
  EXPECT_EQ(short_time(1'200'000'000), "1.20s");
  EXPECT_EQ(short_time(UINT64_MAX), ">999s");
}

}  // namespace
}  // namespace cede::cli
