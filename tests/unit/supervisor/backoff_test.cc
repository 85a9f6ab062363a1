// SPDX-License-Identifier: Apache-2.0
#include "vmm/process/backoff.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesWhileLivesAreShortUpToTheLongest) {
  Backoff backoff;
  for (const int expected : {100, 200, 400, 800, 1600, 3200, 6400, 10'000, 10'000, 10'000}) {
    EXPECT_EQ(backoff.next(milliseconds(1)), milliseconds(expected));
  }
}

TEST(Backoff, BeginsAnewAfterAGoodLife) {
  Backoff backoff;
  for (int i = 0; i < 20; ++i) (void)backoff.next(milliseconds(0));
  EXPECT_EQ(backoff.next(Backoff::kGoodLife - milliseconds(1)), Backoff::kLongest);
  EXPECT_EQ(backoff.next(Backoff::kGoodLife), Backoff::kFirst);
  EXPECT_EQ(backoff.next(milliseconds(0)), 2 * Backoff::kFirst);
}

}  // namespace
}  // namespace cede::supervisor
