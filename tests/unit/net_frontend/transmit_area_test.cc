// SPDX-License-Identifier: Apache-2.0
#include "frontend/net/transmit_area.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace cede::frontend {
namespace {

TEST(TransmitArea, GivesTheFrontAgainWhenNothingIsInUse) {
  TransmitArea area(4096, 8192, 8);
  ASSERT_EQ(area.reserve(100), 4096U);
  area.commit(100);
  ASSERT_EQ(area.reserve(100), 4096U + 128);  // on a line of its own
  area.commit(100);
  area.free_oldest();
  area.free_oldest();
  EXPECT_EQ(area.reserve(8192), 4096U);
}

TEST(TransmitArea, SkipsTheTailThatIsTooShort) {
  TransmitArea area(0, 4096, 8);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(area.reserve(1024));
    area.commit(1024);
  }
  EXPECT_FALSE(area.reserve(1025));  // the tail is too short, and the front is in use
  area.free_oldest();
  EXPECT_FALSE(area.reserve(1025));
  area.free_oldest();
  EXPECT_EQ(area.reserve(1025), 0U);
  // It was not committed: the tail is still there for a shorter one.
  EXPECT_EQ(area.reserve(1024), 3072U);
  area.commit(1024);
  EXPECT_EQ(area.reserve(2048), 0U);
  area.commit(2048);
  EXPECT_FALSE(area.reserve(1));
}

TEST(TransmitArea, IsFullWhenEveryExtentIsInUse) {
  TransmitArea area(0, 65536, 4);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(area.reserve(64));
    area.commit(64);
  }
  EXPECT_FALSE(area.reserve(64));
  area.free_oldest();
  EXPECT_TRUE(area.reserve(64));
}

TEST(TransmitArea, NeverGivesTheSameByteTwice) {
  constexpr std::uint32_t kBytes = 16384;
  TransmitArea area(kBytes, kBytes, 32);
  struct Extent {
    std::uint32_t begin, end;
  };
  std::deque<Extent> in_use;
  std::mt19937 engine(7);
  const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
  std::uint64_t given = 0;
  for (int step = 0; step < 200'000; ++step) {
    if (random() % 2 == 0) {
      const std::uint32_t wanted = 1 + random() % 5000;
      if (const auto place = area.reserve(wanted)) {
        const std::uint32_t length = 1 + random() % wanted;
        ASSERT_GE(*place, kBytes);
        ASSERT_LE(*place + wanted, 2 * kBytes);
        for (const Extent& other : in_use) {
          ASSERT_TRUE(*place >= other.end || *place + wanted <= other.begin) << step;
        }
        area.commit(length);
        in_use.push_back({*place, *place + length});
        ++given;
      } else {
        ASSERT_FALSE(in_use.empty());
      }
    } else if (!in_use.empty()) {
      area.free_oldest();
      in_use.pop_front();
    }
  }
  EXPECT_GT(given, 50'000U);
}

}  // namespace
}  // namespace cede::frontend
