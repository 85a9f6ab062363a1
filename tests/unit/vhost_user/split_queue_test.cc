// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/split_queue.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using test::kGuest;
using test::kUser;
using test::MemoryFile;

constexpr std::uint16_t kSize = 8;
constexpr std::size_t kDescriptors = 0;
constexpr std::size_t kAvailable = 0x400;
constexpr std::size_t kUsed = 0x800;
constexpr std::size_t kTable = 0x1000;  // an indirect table
constexpr std::size_t kBuffers = 0x10000;
constexpr std::size_t kBytes = 0x20000;

// A guest's driver that may write anything anywhere.
class SplitQueueTest : public testing::Test {
 protected:
  SplitQueueTest() { EXPECT_EQ(memory_.add({kGuest, kBytes, kUser, 0}, file_.fd()), Status::Ok); }
  static SplitQueue::Setup setup() {
    return {.size = kSize,
            .descriptors = kUser + kDescriptors,
            .available = kUser + kAvailable,
            .used = kUser + kUsed,
            .event_index = true,
            .indirect = true};
  }
  void start(const SplitQueue::Setup& how) {
    ASSERT_EQ(queue_.start(memory_, how), Status::Ok);
    queue_.set_next_available(0);
  }
  void describe(std::size_t index, const Descriptor& descriptor, std::size_t table = kDescriptors) {
    file_.put(table + index * sizeof descriptor, descriptor);
  }
  void make_available(std::uint16_t head) {
    file_.put<std::uint16_t>(kAvailable + 4 + 2 * (available_ % kSize), head);
    file_.put<std::uint16_t>(kAvailable + 2, ++available_);
  }
  Verdict take() { return queue_.take(memory_, chain_); }

  MemoryFile file_{kBytes};
  GuestMemory memory_;
  SplitQueue queue_;
  Chain chain_;
  std::uint16_t available_ = 0;
};

TEST_F(SplitQueueTest, TakesDirectAndIndirectChains) {
  start(setup());
  describe(2, {kGuest + kBuffers, 16, Descriptor::kNext, 5});
  describe(5, {kGuest + kBuffers + 64, 512, Descriptor::kNext | Descriptor::kWrite, 1});
  describe(1, {kGuest + kBuffers + 1024, 1, Descriptor::kWrite, 0});
  describe(0, {kGuest + kTable, 48, Descriptor::kIndirect, 0});
  describe(0, {kGuest + kBuffers, 16, Descriptor::kNext, 2}, kTable);
  describe(2, {kGuest + kBuffers + 64, 512, Descriptor::kNext | Descriptor::kWrite, 1}, kTable);
  describe(1, {kGuest + kBuffers + 1024, 1, Descriptor::kWrite, 0}, kTable);
  EXPECT_EQ(take(), Verdict::Empty);
  make_available(2);
  make_available(0);
  for (const std::uint16_t head : {std::uint16_t{2}, std::uint16_t{0}}) {
    ASSERT_EQ(take(), Verdict::Ready);
    EXPECT_EQ(chain_.head, head);
    EXPECT_EQ(chain_.readable.bytes(), 16U);
    EXPECT_EQ(chain_.writable.bytes(), 513U);
    EXPECT_EQ(chain_.writable.list().size(), 2U);
  }
  EXPECT_EQ(take(), Verdict::Empty);
}

TEST_F(SplitQueueTest, DirectDescriptorsMayLeadToAnIndirectTable) {
  start(setup());
  describe(0, {kGuest + kBuffers, 16, Descriptor::kNext, 1});
  describe(1, {kGuest + kTable, 16, Descriptor::kIndirect, 0});
  describe(0, {kGuest + kBuffers + 64, 1, Descriptor::kWrite, 0}, kTable);
  make_available(0);
  ASSERT_EQ(take(), Verdict::Ready);
  EXPECT_EQ(chain_.readable.bytes(), 16U);
  EXPECT_EQ(chain_.writable.bytes(), 1U);
}

TEST_F(SplitQueueTest, HostileChainsAreBroken) {
  constexpr std::uint16_t kN = Descriptor::kNext;
  constexpr std::uint16_t kW = Descriptor::kWrite;
  constexpr std::uint16_t kI = Descriptor::kIndirect;
  constexpr std::uint64_t kOk = kGuest + kBuffers;
  struct Case {
    const char* what;
    std::vector<Descriptor> direct;
    std::vector<Descriptor> table;
    std::uint16_t head = 0;
  };
  const Case cases[] = {
      {"a head past the table", {}, {}, kSize},
      {"a head far past the table", {}, {}, 0xffff},
      {"a next past the table", {{kOk, 16, kN, kSize}}, {}},
      {"a chain that is its own next", {{kOk, 16, kN, 0}}, {}},
      {"a chain in circles", {{kOk, 16, kN, 1}, {kOk, 16, kN, 0}}, {}},
      {"circles of empty buffers", {{kOk, 0, kN, 1}, {kOk, 0, kN, 0}}, {}},
      {"a buffer outside the memory", {{kGuest + kBytes, 1, 0, 0}}, {}},
      {"a buffer over the end of the memory", {{kGuest + kBytes - 8, 16, 0, 0}}, {}},
      {"a buffer before the memory", {{kGuest - 1, 2, 0, 0}}, {}},
      {"an address that wraps", {{UINT64_MAX - 7, 16, 0, 0}}, {}},
      {"a length of 4 GiB", {{kOk, UINT32_MAX, 0, 0}}, {}},
      {"readable after writable", {{kOk, 1, kN | kW, 1}, {kOk, 16, 0, 0}}, {}},
      {"an indirect table with a next", {{kGuest + kTable, 16, kI | kN, 1}}, {{kOk, 16, 0, 0}}},
      {"an empty indirect table", {{kGuest + kTable, 0, kI, 0}}, {}},
      {"half an entry", {{kGuest + kTable, 24, kI, 0}}, {{kOk, 16, 0, 0}}},
      {"a table outside the memory", {{kGuest + kBytes, 16, kI, 0}}, {}},
      {"a table over the end", {{kGuest + kBytes - 16, 32, kI, 0}}, {}},
      {"a table of 4 GiB", {{kGuest + kTable, 0xfffffff0, kI, 0}}, {}},
      {"a table longer than any chain", {{kGuest, 1025 * 16, kI, 0}}, {}},
      {"a table in a table", {{kGuest + kTable, 16, kI, 0}}, {{kGuest + kTable, 16, kI, 0}}},
      {"a next past the indirect table", {{kGuest + kTable, 16, kI, 0}}, {{kOk, 16, kN, 1}}},
      {"circles in the indirect table",
       {{kGuest + kTable, 32, kI, 0}},
       {{kOk, 16, kN, 1}, {kOk, 16, kN, 0}}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    std::memset(file_.at(0), 0, kBytes);
    available_ = 0;
    start(setup());
    for (std::size_t i = 0; i < one.direct.size(); ++i) describe(i, one.direct[i]);
    for (std::size_t i = 0; i < one.table.size(); ++i) describe(i, one.table[i], kTable);
    make_available(one.head);
    EXPECT_EQ(take(), Verdict::Broken);
  }
}

TEST_F(SplitQueueTest, AnIndirectTableThatWasNotNegotiatedIsBroken) {
  auto how = setup();
  how.indirect = false;
  start(how);
  describe(0, {kGuest + kTable, 16, Descriptor::kIndirect, 0});
  describe(0, {kGuest + kBuffers, 16, 0, 0}, kTable);
  make_available(0);
  EXPECT_EQ(take(), Verdict::Broken);
}

TEST_F(SplitQueueTest, MoreThan4GiBInOneChainIsBroken) {
  // The same megabytes named over and over.
  GuestMemory big;
  const MemoryFile file(64U << 20);
  ASSERT_EQ(big.add({kGuest, 64U << 20, kUser, 0}, file.fd()), Status::Ok);
  ASSERT_EQ(queue_.start(big, setup()), Status::Ok);
  file.put(0, Descriptor{kGuest + kTable, 65 * 16, Descriptor::kIndirect, 0});
  for (std::uint16_t i = 0; i < 65; ++i) {
    const std::uint16_t flags = i < 64 ? Descriptor::kNext : std::uint16_t{0};
    file.put(kTable + i * 16U,
             Descriptor{kGuest, 64U << 20, flags, static_cast<std::uint16_t>(i + 1)});
  }
  file.put<std::uint16_t>(kAvailable + 2, 1);
  EXPECT_EQ(queue_.take(big, chain_), Verdict::Broken);
}

TEST_F(SplitQueueTest, AnIndexMoreThanARingAheadIsBroken) {
  start(setup());
  file_.put<std::uint16_t>(kAvailable + 2, kSize + 1);
  EXPECT_EQ(take(), Verdict::Broken);
  file_.put<std::uint16_t>(kAvailable + 2, 0xffff);
  EXPECT_EQ(take(), Verdict::Broken);
}

TEST_F(SplitQueueTest, IndicesWrap) {
  start(setup());
  describe(3, {kGuest + kBuffers, 16, 0, 0});
  queue_.set_next_available(0xffff);
  available_ = 0xffff;
  file_.put<std::uint16_t>(kAvailable + 2, 0xffff);
  EXPECT_EQ(take(), Verdict::Empty);
  for (int i = 0; i < 3; ++i) {
    file_.put<std::uint16_t>(kAvailable + 4 + 2 * (available_ % kSize), 3);
    file_.put<std::uint16_t>(kAvailable + 2, ++available_);
    EXPECT_EQ(take(), Verdict::Ready);
    EXPECT_EQ(chain_.head, 3U);
  }
  EXPECT_EQ(queue_.next_available(), 2U);
}

TEST_F(SplitQueueTest, SetUpsThatCannotBeAreRefused) {
  const std::function<void(SplitQueue::Setup&)> spoil[] = {
      [](auto& s) { s.size = 0; },
      [](auto& s) { s.size = 7; },
      [](auto& s) { s.size = 2 * SplitQueue::kMaxSize; },
      [](auto& s) { s.size = UINT32_MAX; },
      [](auto& s) { s.descriptors = kUser - 16; },
      [](auto& s) { s.descriptors = kUser + 8; },
      [](auto& s) { s.descriptors = kUser + kBytes - 16; },
      [](auto& s) { s.available = kUser + 1; },
      [](auto& s) { s.available = kUser + kBytes - 2; },
      [](auto& s) { s.used = kUser + 2; },
      [](auto& s) { s.used = UINT64_MAX - 3; },
  };
  for (std::size_t i = 0; i < std::size(spoil); ++i) {
    auto how = setup();
    spoil[i](how);
    EXPECT_EQ(queue_.start(memory_, how), Status::Invalid) << i;
  }
}

TEST_F(SplitQueueTest, GivesChainsBackAndInterruptsWhenAsked) {
  start(setup());
  file_.put<std::uint16_t>(kAvailable + 4 + 2 * kSize, 1);  // an interrupt after the second
  queue_.put(5, 100);
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed + 2), 0U) << "not before publish()";
  EXPECT_FALSE(queue_.publish());
  queue_.put(6, 200);
  EXPECT_TRUE(queue_.publish());
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed + 2), 2U);
  EXPECT_EQ(file_.get<std::uint32_t>(kUsed + 4), 5U);
  EXPECT_EQ(file_.get<std::uint32_t>(kUsed + 8), 100U);
  EXPECT_EQ(file_.get<std::uint32_t>(kUsed + 12), 6U);
  EXPECT_FALSE(queue_.publish()) << "nothing new";
}

TEST_F(SplitQueueTest, WithoutTheEventIndexFlagsDecide) {
  auto how = setup();
  how.event_index = false;
  start(how);
  queue_.put(1, 0);
  EXPECT_TRUE(queue_.publish());
  file_.put<std::uint16_t>(kAvailable, kNoInterrupt);
  queue_.put(2, 0);
  EXPECT_FALSE(queue_.publish());
  queue_.disarm();
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed), kNoNotify);
  EXPECT_EQ(queue_.arm(), Verdict::Empty);
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed), 0U);
}

TEST_F(SplitQueueTest, ArmAsksForAKickAtTheNextChain) {
  start(setup());
  describe(0, {kGuest + kBuffers, 16, 0, 0});
  make_available(0);
  EXPECT_EQ(queue_.arm(), Verdict::Ready) << "look first";
  ASSERT_EQ(take(), Verdict::Ready);
  EXPECT_EQ(queue_.arm(), Verdict::Empty);
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed + 4 + 8 * kSize), 1U);
}

TEST_F(SplitQueueTest, ContinuesWhereTheUsedRingIs) {
  file_.put<std::uint16_t>(kUsed + 2, 41);
  start(setup());
  EXPECT_EQ(queue_.used_index(), 41U);
  queue_.put(3, 7);
  (void)queue_.publish();
  EXPECT_EQ(file_.get<std::uint16_t>(kUsed + 2), 42U);
  EXPECT_EQ(file_.get<std::uint32_t>(kUsed + 4 + 8 * (41 % kSize)), 3U);
}

TEST_F(SplitQueueTest, RingsThatLeaveTheMemoryAreNoticed) {
  start(setup());
  EXPECT_EQ(queue_.rebind(memory_), Status::Ok);
  memory_.clear();
  EXPECT_EQ(queue_.rebind(memory_), Status::Invalid);
}

}  // namespace
}  // namespace cede::vhost_user
