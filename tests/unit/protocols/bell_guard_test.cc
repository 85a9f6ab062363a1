// SPDX-License-Identifier: Apache-2.0
#include "protocols/bell_guard.h"

#include <gtest/gtest.h>

namespace cede {
namespace {

using Nanoseconds = BellGuard::Nanoseconds;

constexpr Nanoseconds kStart = 1'000'000'000'000;

// Bells that announce nothing, until the guard goes deaf or `limit` is reached; for how long.
Nanoseconds storm(BellGuard& guard, Nanoseconds now, int limit = 1000) {
  for (int i = 0; i < limit; ++i) {
    guard.rung();
    if (const Nanoseconds deaf = guard.judge(now); deaf != 0) return deaf;
  }
  return 0;
}

// A ring's work is announced by one bell, whatever is found how often.
TEST(GuardedRing, EarnsOneBellForEachTimeItWasArmed) {
  struct alignas(8) Item {
    std::uint64_t value = 0;
  };
  constexpr RingShape kShape{8, sizeof(Item)};
  alignas(kCacheLine) std::byte memory[kShape.bytes()];
  format_ring(memory);
  BellGuard guard;
  GuardedRing<FrontRing<Item, Item>> front(memory, kShape, guard);
  BackRing<Item, Item> back(memory, kShape);
  unsigned bells = 0;
  Item item;
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 3; ++i) front.put(item);
    (void)front.publish();
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(back.take(item), Verdict::Ready);
      back.put(item);
      if (back.publish()) {
        ++bells;
        guard.rung();
      }
    }
    for (int i = 0; i < 3; ++i) ASSERT_EQ(front.take(item), Verdict::Ready);
    ASSERT_EQ(guard.judge(kStart), 0U);
    if (round % 2 == 0) {
      ASSERT_EQ(front.arm(), Verdict::Empty);
    }
  }
  EXPECT_EQ(bells, 501U);
  EXPECT_EQ(storm(guard, kStart, BellGuard::kTolerated), 0U) << "none was spurious";
  EXPECT_NE(storm(guard, kStart, 1), 0U) << "and none is left";
}

TEST(BellGuard, APeerThatRingsForWorkIsNeverMasked) {
  BellGuard guard;
  for (int i = 0; i < 100'000; ++i) {
    guard.earned();
    guard.rung();
    ASSERT_EQ(guard.judge(kStart), 0U);
  }
}

TEST(BellGuard, ABellMayComeLaterThanTheWorkItAnnounced) {
  BellGuard guard;
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 8; ++i) guard.earned();
    ASSERT_EQ(guard.judge(kStart), 0U);
    for (int i = 0; i < 8; ++i) guard.rung();
    ASSERT_EQ(guard.judge(kStart), 0U);
  }
}

TEST(BellGuard, AFewSpuriousBellsAreTolerated) {
  BellGuard guard;
  EXPECT_EQ(storm(guard, kStart, BellGuard::kTolerated), 0U);
  EXPECT_EQ(storm(guard, kStart + BellGuard::kWindow, BellGuard::kTolerated), 0U);
}

TEST(BellGuard, StormsAreMaskedForLongerAndLongerUpToASecond) {
  BellGuard guard;
  Nanoseconds now = kStart;
  Nanoseconds before = 0;
  for (int i = 0; i < 20; ++i) {
    const Nanoseconds deaf = storm(guard, now);
    ASSERT_GT(deaf, 0U);
    EXPECT_TRUE(deaf == 2 * before || before == 0 || deaf == BellGuard::kLongest) << deaf;
    before = deaf;
    now += deaf;
  }
  EXPECT_EQ(before, BellGuard::kLongest);
}

TEST(BellGuard, ALongPeaceIsForgiven) {
  BellGuard guard;
  Nanoseconds now = kStart;
  for (int i = 0; i < 20; ++i) now += storm(guard, now);
  EXPECT_EQ(storm(guard, now + BellGuard::kForgiven), BellGuard::kShortest);
}

}  // namespace
}  // namespace cede
