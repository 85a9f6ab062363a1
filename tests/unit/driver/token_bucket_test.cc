// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/token_bucket.h"

#include <gtest/gtest.h>

namespace cede::driver {
namespace {

// Takes whenever the bucket allows it, for `span` from `start` on; how many tokens that was.
std::uint64_t drain(TokenBucket& bucket, Instant start, Duration span, std::uint64_t at_a_time) {
  std::uint64_t taken = 0;
  for (Instant now = start; now < start + span;) {
    if (bucket.open(now)) {
      bucket.take(at_a_time);
      taken += at_a_time;
    } else {
      now = bucket.opens_at(now);
    }
  }
  return taken;
}

constexpr Instant kStart = 12345 * kSecond;

TEST(TokenBucket, ARateOfZeroIsNoLimit) {
  TokenBucket bucket(0);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bucket.open(kStart));
    bucket.take(UINT32_MAX);
  }
  EXPECT_EQ(bucket.opens_at(kStart), kStart);
}

TEST(TokenBucket, TheRateHoldsOverTime) {
  TokenBucket bucket(1000);
  EXPECT_NEAR(static_cast<double>(drain(bucket, kStart, 100 * kSecond, 1)), 100'000 + 100, 2);
}

TEST(TokenBucket, TheRateHoldsForRequestsLargerThanTheBucket) {
  TokenBucket bucket(1 << 20);  // a tenth of it fits; each request is a whole second's worth
  EXPECT_NEAR(static_cast<double>(drain(bucket, kStart, 100 * kSecond, 1 << 20)), 100 << 20,
              2 << 20);
}

TEST(TokenBucket, IdlenessSavesNoMoreThanATenthOfASecond) {
  TokenBucket bucket(1000);
  ASSERT_TRUE(bucket.open(kStart));
  EXPECT_EQ(drain(bucket, kStart + 3600 * kSecond, 1, 1), 100U);
}

TEST(TokenBucket, OpensWhenItSaid) {
  TokenBucket bucket(10);
  ASSERT_TRUE(bucket.open(kStart));
  bucket.take(5);
  ASSERT_FALSE(bucket.open(kStart));
  const Instant opens = bucket.opens_at(kStart);
  EXPECT_FALSE(bucket.open(opens - kMillisecond));
  EXPECT_TRUE(bucket.open(opens));
}

}  // namespace
}  // namespace cede::driver
