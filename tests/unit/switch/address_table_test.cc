// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/address_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace cede::driver {
namespace {

constexpr Instant kStart = 1000 * kSecond;

TEST(AddressTable, AnAddressIsBehindThePortThatItCameFrom) {
  AddressTable table({4, 4}, 0, 99);
  EXPECT_EQ(table.find(1, 0, kStart), std::nullopt);
  table.learn(1, 0, 1, kStart);
  EXPECT_EQ(table.find(1, 0, kStart), 1);
}

TEST(AddressTable, TheSameAddressInTwoVlansIsTwoAddresses) {
  AddressTable table({4, 4}, 0, 99);
  table.learn(1, 10, 0, kStart);
  table.learn(1, 20, 1, kStart);
  EXPECT_EQ(table.find(1, 10, kStart), 0);
  EXPECT_EQ(table.find(1, 20, kStart), 1);
  EXPECT_EQ(table.find(1, 0, kStart), std::nullopt);
}

TEST(AddressTable, SilentAddressesAge) {
  AddressTable table({4}, 0, 99);
  table.learn(1, 0, 0, kStart);
  EXPECT_EQ(table.find(1, 0, kStart + AddressTable::kAge), 0);
  EXPECT_EQ(table.find(1, 0, kStart + AddressTable::kAge + 1), std::nullopt);
  table.learn(1, 0, 0, kStart + AddressTable::kAge + 1);
  EXPECT_EQ(table.find(1, 0, kStart + AddressTable::kAge + 1), 0);
}

TEST(AddressTable, AGivenAddressNeitherAgesNorMoves) {
  AddressTable table({4, 4}, 1, 99);
  EXPECT_TRUE(table.give(1, 0, 0));
  EXPECT_TRUE(table.give(1, 0, 0));
  EXPECT_FALSE(table.give(1, 0, 1));
  table.learn(1, 0, 1, kStart);
  EXPECT_EQ(table.find(1, 0, kStart + 10 * AddressTable::kAge), 0);
  EXPECT_EQ(table.learned(1), 0U);
}

TEST(AddressTable, AnAddressThatTwoPortsClaimDoesNotFlap) {
  AddressTable table({4, 4}, 0, 99);
  table.learn(1, 0, 0, kStart);
  for (Instant now = kStart; now < kStart + 5 * kSecond; now += 10 * kMillisecond) {
    table.learn(1, 0, 1, now);
    EXPECT_EQ(table.find(1, 0, now), 0);
    table.learn(1, 0, 0, now);
  }
}

TEST(AddressTable, AnAddressThatFellSilentMoves) {
  AddressTable table({4, 4}, 0, 99);
  table.learn(1, 0, 0, kStart);
  table.learn(1, 0, 1, kStart + AddressTable::kHold);
  EXPECT_EQ(table.find(1, 0, kStart + AddressTable::kHold), 1);
  EXPECT_EQ(table.learned(0), 0U);
  EXPECT_EQ(table.learned(1), 1U);
}

TEST(AddressTable, TableExhaustionCostsNobodyElse) {
  AddressTable table({8, 8}, 1, 0xDEADBEEF12345678);
  table.give(0xAAAA, 0, 0);
  for (Mac mac = 1; mac <= 8; ++mac) table.learn(mac, 0, 0, kStart);
  for (Mac mac = 100; mac < 100'100; ++mac) table.learn(mac, 0, 1, kStart);
  for (Mac mac = 1; mac <= 8; ++mac) EXPECT_EQ(table.find(mac, 0, kStart), 0) << mac;
  EXPECT_EQ(table.find(0xAAAA, 0, kStart), 0);
  EXPECT_EQ(table.learned(0), 8U);
  EXPECT_EQ(table.learned(1), 8U);
}

TEST(AddressTable, APortWithoutAQuotaLearnsNothing) {
  AddressTable table({0, 4}, 0, 99);
  table.learn(1, 0, 0, kStart);
  EXPECT_EQ(table.find(1, 0, kStart), std::nullopt);
}

TEST(AddressTable, AForgottenPortIsUnknown) {
  AddressTable table({4, 4}, 1, 99);
  table.give(9, 0, 0);
  table.learn(1, 0, 0, kStart);
  table.learn(2, 0, 0, kStart);
  table.learn(3, 0, 1, kStart);
  table.forget(0);
  EXPECT_EQ(table.find(1, 0, kStart), std::nullopt);
  EXPECT_EQ(table.find(2, 0, kStart), std::nullopt);
  EXPECT_EQ(table.find(3, 0, kStart), 1);
  EXPECT_EQ(table.find(9, 0, kStart), 0);
}

// Learning, moving, evicting and forgetting at random, against a plain map that may know more (it
// evicts nothing) but never anything else.
TEST(AddressTable, WhatItKnowsIsTrue) {
  std::mt19937_64 random(20240601);
  AddressTable table({16, 3, 1}, 4, random());
  for (std::uint16_t port = 0; port < 4; ++port) table.give(port, 0, port % 3);
  std::map<Mac, std::uint16_t> last;
  Instant now = kStart;
  for (int step = 0; step < 200'000; ++step) {
    now += 2 * kSecond;  // beyond the hold: every claim counts
    const Mac mac = 4 + random() % 40;
    const auto port = static_cast<std::uint16_t>(random() % 3);
    if (random() % 512 == 0) {
      table.forget(port);
      std::erase_if(last, [port](const auto& entry) { return entry.second == port; });
    }
    table.learn(mac, 0, port, now);
    last[mac] = port;
    ASSERT_EQ(table.find(mac, 0, now), port);
    std::size_t known = 0;
    for (Mac each = 4; each < 44; ++each) {
      if (const auto found = table.find(each, 0, now)) {
        ASSERT_EQ(last.at(each), *found);
        ++known;
      }
    }
    ASSERT_LE(known, table.learned(0) + table.learned(1) + table.learned(2));
    ASSERT_LE(table.learned(0), 16U);
    ASSERT_LE(table.learned(1), 3U);
    ASSERT_LE(table.learned(2), 1U);
  }
  for (std::uint16_t port = 0; port < 4; ++port) EXPECT_EQ(table.find(port, 0, now), port % 3);
}

}  // namespace
}  // namespace cede::driver
