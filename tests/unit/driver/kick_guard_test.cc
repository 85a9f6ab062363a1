// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/kick_guard.h"

#include <gtest/gtest.h>

namespace cede::driver {
namespace {

constexpr Instant kStart = 1000 * kSecond;

// Kicks that announce nothing, until the guard goes deaf or `limit` is reached; for how long.
Duration storm(KickGuard& guard, Instant now, int limit = 1000) {
  for (int i = 0; i < limit; ++i) {
    guard.kicked();
    if (const Duration deaf = guard.judge(now); deaf != 0) return deaf;
  }
  return 0;
}

TEST(KickGuard, AClientThatKicksForWorkIsNeverMasked) {
  KickGuard guard;
  for (int i = 0; i < 100'000; ++i) {
    guard.earned();
    guard.kicked();
    ASSERT_EQ(guard.judge(kStart), 0U);
  }
}

TEST(KickGuard, AKickMayComeLaterThanTheWorkItAnnounced) {
  KickGuard guard;
  for (int round = 0; round < 1000; ++round) {
    for (int i = 0; i < 8; ++i) guard.earned();
    ASSERT_EQ(guard.judge(kStart), 0U);
    for (int i = 0; i < 8; ++i) guard.kicked();
    ASSERT_EQ(guard.judge(kStart), 0U);
  }
}

TEST(KickGuard, AFewSpuriousKicksAreTolerated) {
  KickGuard guard;
  EXPECT_EQ(storm(guard, kStart, KickGuard::kTolerated), 0U);
  EXPECT_EQ(storm(guard, kStart + KickGuard::kWindow, KickGuard::kTolerated), 0U);
}

TEST(KickGuard, StormsAreMaskedForLongerAndLongerUpToASecond) {
  KickGuard guard;
  Instant now = kStart;
  Duration before = 0;
  for (int i = 0; i < 20; ++i) {
    const Duration deaf = storm(guard, now);
    ASSERT_GT(deaf, 0U);
    EXPECT_TRUE(deaf == 2 * before || before == 0 || deaf == KickGuard::kLongest) << deaf;
    before = deaf;
    now += deaf;
  }
  EXPECT_EQ(before, KickGuard::kLongest);
}

TEST(KickGuard, ALongPeaceIsForgiven) {
  KickGuard guard;
  Instant now = kStart;
  for (int i = 0; i < 20; ++i) now += storm(guard, now);
  EXPECT_EQ(storm(guard, now + KickGuard::kForgiven), KickGuard::kShortest);
}

}  // namespace
}  // namespace cede::driver
