// SPDX-License-Identifier: Apache-2.0
// The model runs the rings' own code: where one can say by reasoning what has to move, it must
// count exactly that.
#include <gtest/gtest.h>

#include "tests/bench/ring/model/traffic.h"

namespace cede::bench::ring {
namespace {

constexpr Load kOneAtATime{1, 1};
constexpr Load kInBulk{256, 256};

class RingTraffic : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!count_traffic(ContenderId::Floor, 16, kOneAtATime)) {
      GTEST_SKIP() << "this build has no model";
    }
  }
  static double transfers(ContenderId contender, std::uint32_t slot_bytes, Load load) {
    return count_traffic(contender, slot_bytes, load)->transfers;
  }
};

TEST_F(RingTraffic, TheFloorIsABarePingPong) {
  EXPECT_EQ(transfers(ContenderId::Floor, 16, kOneAtATime), 2);
  EXPECT_EQ(transfers(ContenderId::Floor, 64, kOneAtATime), 2);
  EXPECT_EQ(transfers(ContenderId::Floor, 128, kOneAtATime), 4) << "two lines each way";
}

TEST_F(RingTraffic, SharedIndicesCostALineEachWay) {
  for (const ContenderId contender : {ContenderId::Cede, ContenderId::Xen}) {
    EXPECT_EQ(transfers(contender, 16, kOneAtATime), 4);
    EXPECT_EQ(transfers(contender, 64, kOneAtATime), 4);
    EXPECT_EQ(transfers(contender, 128, kOneAtATime), 6);
  }
}

TEST_F(RingTraffic, DoorbellsThatNobodyWantsCostNoLine) {
  EXPECT_EQ(transfers(ContenderId::Sequenced, 64, kOneAtATime),
            transfers(ContenderId::Floor, 64, kOneAtATime));
}

TEST_F(RingTraffic, InBulkNothingMovesButTheSlots) {
  for (const Entrant& entrant : kRoster) {
    for (const std::uint32_t slot_bytes : kSlotSizes) {
      const double slots = 2 * slot_bytes / 64.0;
      const double all = transfers(entrant.id, slot_bytes, kInBulk);
      EXPECT_GE(all, slots) << entrant.name << ", " << slot_bytes;
      EXPECT_LE(all, slots + 0.25) << entrant.name << ", " << slot_bytes;
    }
  }
}

TEST_F(RingTraffic, EveryRunCountsTheSame) {
  for (const Entrant& entrant : kRoster) {
    const auto first = count_traffic(entrant.id, 64, {8, 32});
    const auto second = count_traffic(entrant.id, 64, {8, 32});
    EXPECT_EQ(first->transfers, second->transfers) << entrant.name;
    EXPECT_EQ(first->invalidations, second->invalidations) << entrant.name;
  }
}

}  // namespace
}  // namespace cede::bench::ring
