// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/inflight.h"

#include <gtest/gtest.h>

#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using Heads = std::vector<std::uint16_t>;

// The layout of the specification, written out once more: of queue 0 of a region of 128 entries.
constexpr std::size_t kStride = 2112;  // as traced with QEMU: 16 + 128 * 16, in units of 64
constexpr std::size_t entry(std::uint16_t head) {
  return 16 + 16 * std::size_t{head};
}

// A record as a front-end keeps it over our lives.
class InflightTest : public testing::Test {
 protected:
  InflightTest() { renew(); }
  void renew() {
    auto region = InflightRegion::adopt(description_, file_.fd(), 2);
    ASSERT_TRUE(region);
    region_ = std::move(*region);
    queue_ = region_.queue(0);
  }
  Heads recover(std::uint16_t used, std::uint32_t size = 128) {
    const auto heads = queue_.recover(size, used);
    EXPECT_TRUE(heads.has_value());
    return heads.value_or(Heads{});
  }

  test::MemoryFile file_{2 * kStride};
  InflightDescription description_{2 * kStride, 0, 2, 128, 0};
  InflightRegion region_;
  InflightQueue queue_;
};

TEST_F(InflightTest, AFreshRecordHoldsNothing) {
  EXPECT_EQ(recover(5), Heads{});
  EXPECT_EQ(file_.get<std::uint16_t>(8), 1U) << "version";
  EXPECT_EQ(file_.get<std::uint16_t>(10), 128U) << "descriptors";
  EXPECT_EQ(file_.get<std::uint16_t>(14), 5U) << "used index";
}

TEST_F(InflightTest, TheNextLifeGetsWhatWasTakenInThatOrder) {
  (void)recover(0);
  for (const std::uint16_t head : Heads{9, 3, 77, 0}) queue_.taken(head);
  queue_.giving_back(3);
  queue_.given_back(1);
  renew();
  EXPECT_EQ(recover(1), (Heads{9, 77, 0}));
  queue_.taken(3);
  renew();
  EXPECT_EQ(recover(1), (Heads{9, 77, 0, 3})) << "counters continue";
}

TEST_F(InflightTest, DeathBeforeThePublicationExecutesAgain) {
  (void)recover(0);
  queue_.taken(1);
  queue_.giving_back(1);
  renew();
  EXPECT_EQ(recover(0), (Heads{1}));
}

TEST_F(InflightTest, DeathAfterThePublicationDoesNotExecuteAgain) {
  (void)recover(0);
  for (const std::uint16_t head : Heads{4, 5, 6, 7}) queue_.taken(head);
  queue_.giving_back(6);
  queue_.giving_back(4);
  // The used index went from 0 to 2, and then we died: given_back() never ran.
  renew();
  EXPECT_EQ(recover(2), (Heads{5, 7}));
  renew();
  EXPECT_EQ(recover(2), (Heads{5, 7}));
}

TEST_F(InflightTest, QueuesHaveRecordsOfTheirOwn) {
  (void)recover(0);
  queue_.taken(1);
  InflightQueue other = region_.queue(1);
  EXPECT_EQ(other.recover(128, 0), Heads{});
  other.taken(2);
  EXPECT_EQ(file_.get<std::uint8_t>(kStride + entry(2)), 1U);
}

TEST_F(InflightTest, HostileContentsAreReadWithinBounds) {
  (void)recover(0);
  std::memset(file_.at(0), 0xff, kStride);
  EXPECT_FALSE(queue_.recover(128, 0).has_value()) << "version";
  file_.put<std::uint16_t>(8, 1);
  EXPECT_FALSE(queue_.recover(128, 0).has_value()) << "more descriptors than there are";
  file_.put<std::uint16_t>(10, 128);
  // The last batch's head is 0xffff, its length 1; every mark is 0xff, which is not 1.
  EXPECT_EQ(recover(0), Heads{});
  // A batch that goes in circles ends.
  file_.put<std::uint16_t>(12, 3);
  file_.put<std::uint16_t>(entry(3) + 6, 3);
  file_.put<std::uint16_t>(14, 0);
  EXPECT_EQ(recover(0x7fff), Heads{});
  // Marks past the queue's size are not its heads.
  file_.put<std::uint8_t>(entry(100), 1);
  EXPECT_EQ(recover(0, 64), Heads{});
}

TEST_F(InflightTest, AQueueLargerThanItsRecordIsRefused) {
  EXPECT_FALSE(queue_.recover(256, 0).has_value());
  EXPECT_FALSE(region_.queue(2).recover(128, 0).has_value()) << "no such queue";
}

TEST_F(InflightTest, DescriptionsThatCannotBeAreRefused) {
  const InflightDescription cases[] = {
      {2 * kStride, 0, 0, 128, 0},
      {2 * kStride, 0, 3, 128, 0},
      {2 * kStride, 0, 2, 0, 0},
      {2 * kStride, 0, 2, 256, 0},
      {2 * kStride, 0, 2, 0xffff, 0},
      {2 * kStride - 1, 0, 2, 128, 0},
      {2 * kStride, kStride, 2, 128, 0},
      {2 * kStride, 1, 1, 128, 0},
      {2 * kStride, ~0ULL - 63, 1, 128, 0},
  };
  for (const InflightDescription& one : cases) {
    EXPECT_FALSE(InflightRegion::adopt(one, file_.fd(), 2));
  }
  EXPECT_TRUE(InflightRegion::adopt({kStride, kStride & ~63ULL, 1, 128, 0}, file_.fd(), 2));
}

TEST(InflightRegion, MakesRegionsAsQemuExpectsThem) {
  Fd file;
  const auto region = InflightRegion::create(1, 128, file);
  ASSERT_TRUE(region);
  EXPECT_EQ(region->description().mmap_size, kStride);
  EXPECT_TRUE(InflightRegion::adopt(region->description(), file, 1));
  EXPECT_FALSE(InflightRegion::create(1, 2048, file));
  EXPECT_FALSE(InflightRegion::create(0, 128, file));
}

}  // namespace
}  // namespace cede::vhost_user
