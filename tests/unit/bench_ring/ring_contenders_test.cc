// SPDX-License-Identifier: Apache-2.0
// Every contender carries everything: each message once, in order, unchanged, many times round the
// ring, between threads, across a fork on two mappings of one file, and by turns.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"
#include "tests/bench/machine.h"
#include "tests/bench/ring/conversation.h"
#include "tests/bench/ring/trial.h"

namespace cede::bench::ring {
namespace {

using Case = std::tuple<Entrant, Place, Wait, std::uint32_t>;

class RingContenders : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (allowed_processors().size() < 2) GTEST_SKIP() << "two processors are needed";
    const Fd file(::memfd_create("ring", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kArenaBytes), 0);
    Result<Mapping> front = Mapping::map(file.get(), kArenaBytes);
    Result<Mapping> back = Mapping::map(file.get(), kArenaBytes);
    ASSERT_TRUE(front && back);
    front_ = std::move(*front);
    back_ = std::move(*back);
  }

  Mapping front_;
  Mapping back_;
};

TEST_P(RingContenders, CarriesEverythingOnceAndInOrder) {
  const auto& [entrant, place, wait, slot_bytes] = GetParam();
  for (const Load load : kLoads) {
    const Cell cell{place, wait, slot_bytes, load};
    const Trial trial =
        run_trial(entrant.id, cell, {front_.data(), back_.data()}, std::chrono::milliseconds(2));
    EXPECT_EQ(trial.wrong, 0U) << cell.name();
    EXPECT_GT(trial.rate, 0) << cell.name();
    EXPECT_GT(trial.p50, 0) << cell.name();
    EXPECT_GE(trial.p99, trial.p50) << cell.name();
  }
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const auto& [entrant, place, wait, slot_bytes] = info.param;
  std::string name = fmt::format("{}_{}", entrant.name, Cell{place, wait, slot_bytes, {}}.name());
  name.resize(name.rfind('/'));  // each test has all loads
  std::ranges::replace(name, '/', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(
    Spinning, RingContenders,
    ::testing::Combine(::testing::ValuesIn(kRoster),
                       ::testing::Values(Place::Processes, Place::Threads, Place::Together),
                       ::testing::Values(Wait::Spin), ::testing::ValuesIn(kSlotSizes)),
    name_of);
INSTANTIATE_TEST_SUITE_P(Sleeping, RingContenders,
                         ::testing::Combine(::testing::ValuesIn(kRoster),
                                            ::testing::Values(Place::Processes, Place::Threads),
                                            ::testing::Values(Wait::Sleep),
                                            ::testing::ValuesIn(kSlotSizes)),
                         name_of);

// A queue that loses, repeats, swaps or changes messages: is that noticed?
class FaultyFront {
 public:
  enum class Fault : std::uint8_t { None, Repeats, Swaps, Changes };
  using Item = Message<64>;

  explicit FaultyFront(Fault fault) : fault_(fault) {}
  void put(const Item& request) { waiting_[put_++ % waiting_.size()] = make_response(request); }
  void publish() {}
  bool take(Item& response) {
    if (taken_ == put_) return false;
    std::uint64_t place = taken_++;
    if (place == kFaultAt && fault_ == Fault::Repeats) --place;
    if (place / 2 == kFaultAt / 2 && fault_ == Fault::Swaps) place ^= 1U;
    response = waiting_[place % waiting_.size()];
    if (place == kFaultAt && fault_ == Fault::Changes) ++response.words[Item::kWords - 1];
    return true;
  }

 private:
  static constexpr std::uint64_t kFaultAt = 10;

  Fault fault_;
  std::array<Item, 64> waiting_{};
  std::uint64_t put_ = 0;
  std::uint64_t taken_ = 0;
};

std::uint64_t wrong_with(FaultyFront::Fault fault) {
  struct Pace {
    static bool more(std::uint64_t sent) { return sent < 64; }
    static void answered(std::uint64_t /*number*/) {}
  } pace;
  struct Waiting {
    static void publish(FaultyFront& front) { front.publish(); }
    static void rest(FaultyFront& /*front*/) {}
  } waiting;
  FaultyFront front(fault);
  return request_all<FaultyFront::Item>(front, {8, 32}, waiting, pace).wrong;
}

TEST(RingConversation, NoticesWhatIsNotTheNextResponse) {
  EXPECT_EQ(wrong_with(FaultyFront::Fault::None), 0U);
  EXPECT_EQ(wrong_with(FaultyFront::Fault::Repeats), 1U);
  EXPECT_EQ(wrong_with(FaultyFront::Fault::Swaps), 2U);
  EXPECT_EQ(wrong_with(FaultyFront::Fault::Changes), 1U);
}

}  // namespace
}  // namespace cede::bench::ring
