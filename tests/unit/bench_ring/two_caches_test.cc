// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ring/model/two_caches.h"

#include <gtest/gtest.h>

namespace cede::bench::ring {
namespace {

TEST(TwoCaches, ALineThatNobodyHasComesFromMemoryAndStays) {
  TwoCaches caches(1);
  EXPECT_EQ(caches.access(0, 0, Access::Read), Traffic::Memory);
  EXPECT_EQ(caches.access(0, 0, Access::Read), Traffic::None);
  EXPECT_EQ(caches.access(0, 0, Access::Write), Traffic::None) << "nobody else has it";
  EXPECT_EQ(caches.transfers(), 0U);
}

TEST(TwoCaches, AReadOfWhatTheOtherWroteMovesTheLineOnce) {
  TwoCaches caches(1);
  (void)caches.access(0, 0, Access::Write);
  EXPECT_FALSE(caches.holds(1, 0));
  EXPECT_EQ(caches.access(1, 0, Access::Read), Traffic::Transfer);
  EXPECT_EQ(caches.access(1, 0, Access::Read), Traffic::None);
  EXPECT_TRUE(caches.holds(0, 0)) << "the writer keeps a copy";
}

TEST(TwoCaches, AWriteToWhatBothHaveTakesItFromTheOther) {
  TwoCaches caches(1);
  (void)caches.access(0, 0, Access::Read);
  (void)caches.access(1, 0, Access::Read);
  EXPECT_EQ(caches.access(0, 0, Access::Write), Traffic::Invalidation);
  EXPECT_FALSE(caches.holds(1, 0));
  EXPECT_EQ(caches.access(1, 0, Access::Write), Traffic::Transfer);
  EXPECT_FALSE(caches.holds(0, 0));
}

TEST(TwoCaches, APingPongMovesTwoLinesARound) {
  TwoCaches caches(1);
  constexpr unsigned kRounds = 100;
  for (unsigned turn = 0; turn < 2 * kRounds; ++turn) {
    (void)caches.access(turn % 2, 0, Access::Read);
    (void)caches.access(turn % 2, 0, Access::Write);
  }
  EXPECT_EQ(caches.transfers(), 2 * kRounds - 1) << "all but the first";
  EXPECT_EQ(caches.invalidations(), 2 * kRounds - 1);
}

TEST(TwoCaches, LinesDoNotDisturbEachOther) {
  TwoCaches caches(2);
  (void)caches.access(0, 0, Access::Write);
  (void)caches.access(1, 1, Access::Write);
  EXPECT_EQ(caches.access(0, 0, Access::Write), Traffic::None);
  EXPECT_EQ(caches.access(1, 1, Access::Read), Traffic::None);
}

}  // namespace
}  // namespace cede::bench::ring
