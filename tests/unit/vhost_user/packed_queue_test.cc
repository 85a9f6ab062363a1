// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/packed_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using test::kGuest;
using test::kUser;
using test::MemoryFile;

constexpr std::uint16_t kSize = 7;  // need not be a power of two
constexpr std::size_t kDriver = 0x400;
constexpr std::size_t kDevice = 0x404;
constexpr std::size_t kTable = 0x1000;
constexpr std::size_t kBuffers = 0x10000;
constexpr std::size_t kBytes = 0x20000;
constexpr std::uint64_t kOk = kGuest + kBuffers;
constexpr std::uint16_t kN = Descriptor::kNext;
constexpr std::uint16_t kW = Descriptor::kWrite;
constexpr std::uint16_t kI = Descriptor::kIndirect;
constexpr std::uint16_t kA = PackedDescriptor::kAvailable;
constexpr std::uint16_t kU = PackedDescriptor::kUsed;

// A guest's driver that may write anything anywhere.
class PackedQueueTest : public testing::Test {
 protected:
  PackedQueueTest() { EXPECT_EQ(memory_.add({kGuest, kBytes, kUser, 0}, file_.fd()), Status::Ok); }
  static QueueSetup setup() {
    return {.size = kSize,
            .descriptors = kUser,
            .available = kUser + kDriver,
            .used = kUser + kDevice,
            .event_index = true,
            .indirect = true,
            .packed = true};
  }
  void start(std::uint16_t position = PackedQueue::kBeginning) {
    ASSERT_EQ(queue_.start(memory_, setup(), position), Status::Ok);
  }
  // At slot `index`, with the marks of the first lap unless said otherwise.
  void describe(std::size_t index, PackedDescriptor one, std::size_t table = 0) {
    if (table == 0 && (one.flags & (kA | kU)) == 0) one.flags |= kA;
    file_.put(table + index * sizeof one, one);
  }
  [[nodiscard]] PackedDescriptor slot(std::size_t index) const {
    return file_.get<PackedDescriptor>(index * sizeof(PackedDescriptor));
  }
  [[nodiscard]] EventSuppression asked() const { return file_.get<EventSuppression>(kDevice); }
  void want(std::uint16_t position, std::uint16_t flags) {
    file_.put(kDriver, EventSuppression{position, flags});
  }
  Verdict take() { return queue_.take(memory_, chain_); }

  MemoryFile file_{kBytes};
  GuestMemory memory_;
  PackedQueue queue_;
  Chain chain_;
};

TEST_F(PackedQueueTest, TakesDirectAndIndirectChains) {
  start();
  EXPECT_EQ(take(), Verdict::Empty);
  describe(0, {kOk, 16, 99, kN});
  describe(1, {kOk + 64, 512, 99, kN | kW});
  describe(2, {kOk + 1024, 1, 5, kW});
  describe(3, {kGuest + kTable, 48, 6, kI});
  describe(0, {kOk, 16, 0, kN}, kTable);  // only WRITE counts in a table
  describe(1, {kOk + 64, 512, 0, kW}, kTable);
  describe(2, {kOk + 1024, 1, 0, kW | kN | kA}, kTable);
  for (const std::uint16_t id : {std::uint16_t{5}, std::uint16_t{6}}) {
    ASSERT_EQ(take(), Verdict::Ready);
    EXPECT_EQ(chain_.head, id) << "of the last descriptor";
    EXPECT_EQ(chain_.slots, id == 5 ? 3 : 1);
    EXPECT_EQ(chain_.readable.bytes(), 16U);
    EXPECT_EQ(chain_.writable.bytes(), 513U);
  }
  EXPECT_EQ(take(), Verdict::Empty);
}

TEST_F(PackedQueueTest, HostileChainsAreBroken) {
  struct Case {
    const char* what;
    std::vector<PackedDescriptor> ring;
    std::vector<PackedDescriptor> table;
  };
  const std::vector<PackedDescriptor> circle(kSize, {kOk, 16, 0, kN});
  const std::vector<PackedDescriptor> empty_circle(kSize, {kOk, 0, 0, kN});
  const Case cases[] = {
      {"a chain without an end", circle, {}},
      {"a chain of empty buffers without an end", empty_circle, {}},
      {"a buffer outside the memory", {{kGuest + kBytes, 1, 0, 0}}, {}},
      {"a buffer over the end of the memory", {{kGuest + kBytes - 8, 16, 0, 0}}, {}},
      {"a buffer before the memory", {{kGuest - 1, 2, 0, 0}}, {}},
      {"an address that wraps", {{UINT64_MAX - 7, 16, 0, 0}}, {}},
      {"a length of 4 GiB", {{kOk, UINT32_MAX, 0, 0}}, {}},
      {"readable after writable", {{kOk, 1, 0, kN | kW}, {kOk, 16, 0, 0}}, {}},
      {"an indirect table with a next",
       {{kGuest + kTable, 16, 0, kI | kN}, {kOk, 1, 0, 0}},
       {{kOk, 16, 0, 0}}},
      {"an indirect table behind a next",
       {{kOk, 16, 0, kN}, {kGuest + kTable, 16, 0, kI}},
       {{kOk, 16, 0, 0}}},
      {"an empty indirect table", {{kGuest + kTable, 0, 0, kI}}, {}},
      {"half an entry", {{kGuest + kTable, 24, 0, kI}}, {{kOk, 16, 0, 0}}},
      {"a table outside the memory", {{kGuest + kBytes, 16, 0, kI}}, {}},
      {"a table over the end", {{kGuest + kBytes - 16, 32, 0, kI}}, {}},
      {"a table of 4 GiB", {{kGuest + kTable, 0xfffffff0, 0, kI}}, {}},
      {"a table longer than any chain", {{kGuest, 1025 * 16, 0, kI}}, {}},
      {"a table in a table", {{kGuest + kTable, 16, 0, kI}}, {{kGuest + kTable, 16, 0, kI}}},
      {"readable after writable in a table",
       {{kGuest + kTable, 32, 0, kI}},
       {{kOk, 1, 0, kW}, {kOk, 1, 0, 0}}},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    std::memset(file_.at(0), 0, kBytes);
    start();
    for (std::size_t i = 0; i < one.ring.size(); ++i) describe(i, one.ring[i]);
    for (std::size_t i = 0; i < one.table.size(); ++i) describe(i, one.table[i], kTable);
    EXPECT_EQ(take(), Verdict::Broken);
  }
}

TEST_F(PackedQueueTest, AnIndirectTableThatWasNotNegotiatedIsBroken) {
  QueueSetup how = setup();
  how.indirect = false;
  ASSERT_EQ(queue_.start(memory_, how, PackedQueue::kBeginning), Status::Ok);
  describe(0, {kGuest + kTable, 16, 0, kI});
  describe(0, {kOk, 16, 0, 0}, kTable);
  EXPECT_EQ(take(), Verdict::Broken);
}

TEST_F(PackedQueueTest, AvailableAgainBeforeItWasGivenBackIsBroken) {
  start();
  for (std::size_t i = 0; i < kSize; ++i) describe(i, {kOk, 16, static_cast<std::uint16_t>(i), 0});
  for (int i = 0; i < kSize; ++i) EXPECT_EQ(take(), Verdict::Ready);
  EXPECT_EQ(take(), Verdict::Empty);
  describe(0, {kOk, 16, 0, kU});  // the second lap's mark, over a buffer that is still ours
  EXPECT_EQ(take(), Verdict::Broken);
}

TEST_F(PackedQueueTest, AChainThatRunsIntoWhatWasNotGivenBackIsBroken) {
  start();
  for (std::size_t i = 0; i < kSize; ++i) describe(i, {kOk, 16, 0, 0});
  for (int i = 0; i < kSize; ++i) EXPECT_EQ(take(), Verdict::Ready);
  queue_.put(0, 1, 0);
  (void)queue_.publish();
  describe(0, {kOk, 16, 0, kU | kN});
  EXPECT_EQ(take(), Verdict::Broken);
}

TEST_F(PackedQueueTest, NothingIsGivenBackBeforePublishAndThenAllOfIt) {
  start();
  for (std::size_t i = 0; i < 4; ++i) describe(i, {kOk, 16, static_cast<std::uint16_t>(10 + i), 0});
  for (int i = 0; i < 4; ++i) ASSERT_EQ(take(), Verdict::Ready);
  queue_.put(10, 1, 0);
  queue_.put(11, 1, 300);
  EXPECT_EQ(slot(0).flags & (kA | kU), kA) << "the first hides the others";
  EXPECT_TRUE(queue_.publish());
  EXPECT_EQ(slot(0).flags, kA | kU);
  EXPECT_EQ(slot(0).id, 10);
  EXPECT_EQ(slot(1).flags, kA | kU | kW);
  EXPECT_EQ(slot(1).length, 300U);
  EXPECT_FALSE(queue_.publish()) << "nothing new";
}

TEST_F(PackedQueueTest, AChainIsGivenBackInItsFirstSlotAndTheNextBehindIt) {
  start();
  describe(0, {kOk, 16, 0, kN});
  describe(1, {kOk, 16, 0, kN});
  describe(2, {kOk, 16, 40, 0});
  describe(3, {kOk, 16, 41, 0});
  ASSERT_EQ(take(), Verdict::Ready);
  queue_.put(chain_.head, chain_.slots, 0);
  ASSERT_EQ(take(), Verdict::Ready);
  queue_.put(chain_.head, chain_.slots, 0);
  (void)queue_.publish();
  EXPECT_EQ(slot(0).id, 40);
  EXPECT_EQ(slot(1).flags & (kA | kU), kA) << "untouched";
  EXPECT_EQ(slot(3).id, 41);
  EXPECT_EQ(slot(3).flags, kA | kU);
}

TEST_F(PackedQueueTest, TheMarksTurnWithEachLap) {
  start();
  for (unsigned i = 0; i < 5 * kSize; ++i) {
    const bool odd = i / kSize % 2 != 0;
    describe(i % kSize, {kOk, 16, static_cast<std::uint16_t>(i), odd ? kU : kA});
    ASSERT_EQ(take(), Verdict::Ready) << i;
    ASSERT_EQ(take(), Verdict::Empty) << i;
    queue_.put(chain_.head, 1, 0);
    (void)queue_.publish();
    EXPECT_EQ(slot(i % kSize).flags, odd ? 0 : kA | kU) << i;
  }
}

TEST_F(PackedQueueTest, InterruptsFollowTheDriversWish) {
  start();
  const auto round = [&](unsigned count) {
    for (unsigned i = 0; i < count; ++i) queue_.put(0, 1, 0);
    return queue_.publish();
  };
  want(0, EventSuppression::kEnable);
  EXPECT_TRUE(round(1));  // slot 0
  want(0, EventSuppression::kDisable);
  EXPECT_FALSE(round(1));  // slot 1
  want(4 | PackedQueue::kWrap, EventSuppression::kAtPosition);
  EXPECT_FALSE(round(2));  // slots 2 and 3
  EXPECT_TRUE(round(2));   // 4 and 5
  EXPECT_FALSE(round(1));  // 6: past it
  want(1, EventSuppression::kAtPosition);
  EXPECT_FALSE(round(1)) << "slot 0 of the next lap";
  EXPECT_TRUE(round(1));
  want(0 | PackedQueue::kWrap, EventSuppression::kAtPosition);
  EXPECT_FALSE(round(4));
  EXPECT_TRUE(round(4)) << "over the ring's end";
  for (const std::uint16_t nonsense : std::vector<std::uint16_t>{0x7fff, 0xffff, 0x1234}) {
    want(nonsense, EventSuppression::kAtPosition);
    (void)round(1);
    want(nonsense, nonsense);
    (void)round(1);
  }
}

TEST_F(PackedQueueTest, ArmAsksForAKickAtTheNextChain) {
  start();
  describe(0, {kOk, 16, 0, 0});
  EXPECT_EQ(queue_.arm(), Verdict::Ready) << "look first";
  ASSERT_EQ(take(), Verdict::Ready);
  EXPECT_EQ(queue_.arm(), Verdict::Empty);
  EXPECT_EQ(asked().flags, EventSuppression::kAtPosition);
  EXPECT_EQ(asked().position, 1 | PackedQueue::kWrap);
  queue_.disarm();
  EXPECT_EQ(asked().flags, EventSuppression::kDisable);

  QueueSetup how = setup();
  how.event_index = false;
  ASSERT_EQ(queue_.start(memory_, how, 1 | PackedQueue::kWrap), Status::Ok);
  EXPECT_EQ(queue_.arm(), Verdict::Empty);
  EXPECT_EQ(asked().flags, EventSuppression::kEnable);
}

TEST_F(PackedQueueTest, ContinuesAtAPosition) {
  describe(3, {kOk, 16, 77, kU});
  start(3);
  ASSERT_EQ(take(), Verdict::Ready);
  EXPECT_EQ(chain_.head, 77);
  EXPECT_EQ(queue_.position(), 4);
  queue_.seek(3);
  ASSERT_EQ(take(), Verdict::Ready) << "taken again";
}

// As QEMU 7.2 says it after its back-end has died, wherever the ring really stands.
TEST_F(PackedQueueTest, FindsItsPositionInARingThatIsNotAtItsBeginning) {
  for (unsigned position = 0; position < 4 * kSize; ++position) {
    for (unsigned ahead = 0; ahead <= kSize; ++ahead) {
      std::memset(file_.at(0), 0, kBytes);
      for (unsigned i = 0; i < position + ahead; ++i) {
        const bool odd = i / kSize % 2 != 0;
        const std::uint16_t used = odd ? std::uint16_t{0} : kA | kU;
        const std::uint16_t available = odd ? kU : kA;
        file_.put(i % kSize * 16, PackedDescriptor{kOk, 16, 0, i < position ? used : available});
      }
      start();
      const unsigned lap = position / kSize;
      EXPECT_EQ(queue_.position(), position % kSize + (lap % 2 == 0 ? 0x8000U : 0U))
          << position << " and " << ahead << " more available";
    }
  }
}

// Here the ring would mislead: the second slot of the lap's last chain looks available still.
TEST_F(PackedQueueTest, APositionThatIsKnownIsNotSearched) {
  describe(kSize - 1, {kOk, 16, 0, kU});
  QueueSetup how = setup();
  how.base_known = true;
  ASSERT_EQ(queue_.start(memory_, how, PackedQueue::kBeginning), Status::Ok);
  EXPECT_EQ(queue_.position(), PackedQueue::kBeginning);
  EXPECT_EQ(take(), Verdict::Empty);
}

TEST_F(PackedQueueTest, ARingWhosePositionCannotBeToldStartsWhereItIsSaidTo) {
  describe(1, {kOk, 16, 0, kU});
  describe(3, {kOk, 16, 0, kU});
  start();
  EXPECT_EQ(queue_.position(), PackedQueue::kBeginning);
}

TEST_F(PackedQueueTest, SetUpsThatCannotBeAreRefused) {
  const std::function<void(QueueSetup&)> spoil[] = {
      [](auto& s) { s.size = 0; },
      [](auto& s) { s.size = kMaxQueueSize + 1; },
      [](auto& s) { s.size = UINT32_MAX; },
      [](auto& s) { s.descriptors = kUser - 16; },
      [](auto& s) { s.descriptors = kUser + 8; },
      [](auto& s) { s.descriptors = kUser + kBytes - 16; },
      [](auto& s) { s.available = kUser + 2; },
      [](auto& s) { s.available = kUser + kBytes; },
      [](auto& s) { s.used = kUser + 1; },
      [](auto& s) { s.used = UINT64_MAX - 3; },
  };
  for (std::size_t i = 0; i < std::size(spoil); ++i) {
    QueueSetup how = setup();
    spoil[i](how);
    EXPECT_EQ(queue_.start(memory_, how, PackedQueue::kBeginning), Status::Invalid) << i;
  }
  for (const std::uint16_t position : {std::uint16_t{kSize}, std::uint16_t{0xffff}}) {
    EXPECT_EQ(queue_.start(memory_, setup(), position), Status::Invalid) << position;
  }
}

}  // namespace
}  // namespace cede::vhost_user
