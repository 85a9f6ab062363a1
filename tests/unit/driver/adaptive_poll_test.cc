// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/engine/adaptive_poll.h"

#include <gtest/gtest.h>

namespace cede::driver {
namespace {

TEST(AdaptivePoll, BeginsWithoutPolling) {
  EXPECT_EQ(AdaptivePoll().budget(), 0U);
}

TEST(AdaptivePoll, ShortGapsLengthenTheLookUpToItsLimit) {
  AdaptivePoll polling;
  Duration before = 0;
  for (int i = 0; i < 10; ++i) {
    polling.slept(20 * kMicrosecond);
    EXPECT_GE(polling.budget(), before);
    before = polling.budget();
  }
  EXPECT_EQ(before, AdaptivePoll::kLongest);
}

TEST(AdaptivePoll, LongGapsEndPollingAltogether) {
  AdaptivePoll polling;
  for (int i = 0; i < 10; ++i) polling.slept(20 * kMicrosecond);
  for (int i = 0; i < 5; ++i) polling.slept(kSecond);
  EXPECT_EQ(polling.budget(), 0U);
}

}  // namespace
}  // namespace cede::driver
