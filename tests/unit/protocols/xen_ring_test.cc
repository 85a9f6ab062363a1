// SPDX-License-Identifier: Apache-2.0
// protocols/ring.h against the official Xen ring.h: the same operations on both, every index and
// every decision compared after each.
//
// Where the two differ, and why, is the last part: ours believes a peer less.
#include "tests/support/xen_ring.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <vector>

#include "protocols/ring.h"

namespace cede::test {
namespace {

using Front = FrontRing<Item, Item>;
using Back = BackRing<Item, Item>;

// What a half of ours keeps to itself, in its order of declaration. The classes show no private
// index to anyone; a bit_cast of a copy does, and stops compiling when their size changes.
// `snapshot` has no counterpart: when it is taken is the driver's choice in Xen.
struct FrontPrivate {
  void* request_words[2];
  std::uint32_t req_prod_pvt, published;
  void* response_words[2];
  std::uint32_t rsp_cons, snapshot;
  void* slots;
  RingShape shape;
};
struct BackPrivate {
  void* request_words[2];
  std::uint32_t req_cons, snapshot;
  void* response_words[2];
  std::uint32_t rsp_prod_pvt, published;
  void* slots;
  RingShape shape;
};

std::size_t shared_bytes(std::uint32_t slots) {
  return RingShape::kSlots + slots * sizeof(Item);
}

// Ours and Xen's, doing the same.
class Twins {
 public:
  Twins(std::uint32_t slots, std::uint32_t start)
      : slots_(slots),
        ours_(shared_bytes(slots) / kCacheLine + 1),
        xens_(shared_bytes(slots) / kCacheLine + 1),
        front(start_ours(start), {slots, sizeof(Item)}, start),
        back(base(), {slots, sizeof(Item)}, start),
        xen_front(start_xens(start), slots, start),
        xen_back(xen_shared(), slots, start) {}

  [[nodiscard]] CedeShared& shared() { return *reinterpret_cast<CedeShared*>(base()); }
  [[nodiscard]] XenShared* xen_shared() { return reinterpret_cast<XenShared*>(xens_.data()); }

  // The six operations of a trace. Each applies to both and compares what it returns.
  void front_put() {
    ASSERT_EQ(front.free_slots(), xen_front.free_slots());
    ASSERT_EQ(front.free_slots() == 0, xen_front.full());
    if (front.free_slots() == 0) return;
    const Item item{++serial_};
    front.put(item);
    xen_front.put(item);
  }
  void front_publish() { ASSERT_EQ(front.publish(), xen_front.publish()); }
  void front_take() {
    Item item{1};
    Item xen_item{2};
    const Verdict verdict = front.take(item);
    const Found found = xen_front.take(xen_item);
    ASSERT_EQ(verdict == Verdict::Ready, found == Found::Item);
    ASSERT_EQ(verdict == Verdict::Empty, found == Found::Nothing);
    if (verdict != Verdict::Ready) return;
    ASSERT_EQ(item.value, xen_item.value);
  }
  void front_arm() { ASSERT_EQ(front.arm() == Verdict::Ready, xen_front.final_check()); }
  void back_take() {
    Item item{1};
    Item xen_item{2};
    const Verdict verdict = back.take(item);
    const Found found = xen_back.take(xen_item);
    ASSERT_EQ(verdict == Verdict::Ready, found == Found::Item);
    ASSERT_EQ(verdict == Verdict::Empty, found == Found::Nothing);
    if (verdict != Verdict::Ready) return;
    ASSERT_EQ(item.value, xen_item.value);
    taken_.push_back(item.value);
  }
  void back_put() {
    if (back.in_flight() == 0) return;
    // Any of what was taken may be answered first.
    const std::size_t which = serial_ * 7 % taken_.size();
    const Item item{taken_[which] + 1'000'000};
    taken_.erase(taken_.begin() + static_cast<long>(which));
    back.put(item);
    xen_back.put(item);
  }
  void back_publish() { ASSERT_EQ(back.publish(), xen_back.publish()); }
  void back_arm() { ASSERT_EQ(back.arm() == Verdict::Ready, xen_back.final_check()); }

  void compare() {
    const auto ours = std::bit_cast<FrontPrivate>(front);
    ASSERT_EQ(ours.req_prod_pvt, xen_front.req_prod_pvt);
    ASSERT_EQ(ours.rsp_cons, xen_front.rsp_cons);
    ASSERT_LE(ours.snapshot - ours.rsp_cons, xen_shared()->rsp_prod - xen_front.rsp_cons);
    const auto theirs = std::bit_cast<BackPrivate>(back);
    ASSERT_EQ(theirs.rsp_prod_pvt, xen_back.rsp_prod_pvt);
    ASSERT_EQ(theirs.req_cons, xen_back.req_cons);
    ASSERT_LE(theirs.snapshot - theirs.req_cons, xen_shared()->req_prod - xen_back.req_cons);
    ASSERT_EQ(shared().req_prod, xen_shared()->req_prod);
    ASSERT_EQ(shared().rsp_prod, xen_shared()->rsp_prod);
    ASSERT_EQ(shared().req_event, xen_shared()->req_event);
    ASSERT_EQ(shared().rsp_event, xen_shared()->rsp_event);
    for (std::uint32_t i = 0; i < slots_; ++i) {
      ASSERT_EQ(shared().ring[i].req.value, xen_shared()->ring[i].req.value) << "slot " << i;
    }
    // A request that was taken has room for its response.
    ASSERT_LE(back.in_flight(), slots_);
    ASSERT_EQ(back.in_flight() == slots_, xen_back.no_room_for_response());
  }

 private:
  struct alignas(kCacheLine) Line {
    std::byte bytes[kCacheLine]{};
  };

  [[nodiscard]] std::byte* base() { return ours_.front().bytes; }
  std::byte* start_ours(std::uint32_t start) {
    format_ring(base());
    shared().req_prod = start;
    shared().rsp_prod = start;
    shared().req_event = start + 1;
    shared().rsp_event = start + 1;
    return base();
  }
  XenShared* start_xens(std::uint32_t start) {
    SHARED_RING_INIT(xen_shared());
    xen_shared()->req_prod = xen_shared()->rsp_prod = start;
    xen_shared()->req_event = xen_shared()->rsp_event = start + 1;
    return xen_shared();
  }

  std::uint32_t slots_;
  std::vector<Line> ours_;
  std::vector<Line> xens_;
  std::uint64_t serial_ = 0;
  std::vector<std::uint64_t> taken_;

 public:
  Front front;
  Back back;
  XenFront<XenShared> xen_front;
  XenBack<XenShared> xen_back;
};

constexpr int kOperations = 8;

void apply(Twins& twins, int operation) {
  switch (operation) {
    case 0:
      return twins.front_put();
    case 1:
      return twins.front_publish();
    case 2:
      return twins.front_take();
    case 3:
      return twins.front_arm();
    case 4:
      return twins.back_take();
    case 5:
      return twins.back_put();
    case 6:
      return twins.back_publish();
    default:
      return twins.back_arm();
  }
}

TEST(XenRing, FreshRingsAreAlike) {
  alignas(kCacheLine) std::byte ours[sizeof(CedeShared)];
  format_ring(ours);
  XenShared xens{};
  SHARED_RING_INIT(&xens);
  const auto& shared = *reinterpret_cast<const CedeShared*>(ours);
  EXPECT_EQ(shared.req_prod, xens.req_prod);
  EXPECT_EQ(shared.rsp_prod, xens.rsp_prod);
  EXPECT_EQ(shared.req_event, xens.req_event);
  EXPECT_EQ(shared.rsp_event, xens.rsp_event);
}

TEST(XenRing, EverySequenceOfFiveOperationsAgrees) {
  constexpr int kLength = 5;
  constexpr int kSequences = 1 << (3 * kLength);
  // From a fresh ring, from one with a request at the backend, and from one with a response out.
  const std::vector<std::vector<int>> starts = {{}, {0, 1, 4}, {0, 1, 4, 5, 6}};
  for (const std::vector<int>& before : starts) {
    for (const std::uint32_t slots : {1U, 2U}) {
      for (int sequence = 0; sequence < kSequences; ++sequence) {
        Twins twins(slots, UINT32_MAX);
        for (const int operation : before) apply(twins, operation);
        for (int rest = sequence, i = 0; i < kLength; ++i, rest /= kOperations) {
          apply(twins, rest % kOperations);
          ASSERT_FALSE(HasFatalFailure()) << "sequence " << sequence << ", step " << i;
        }
        twins.compare();
        ASSERT_FALSE(HasFatalFailure()) << "sequence " << sequence;
      }
    }
  }
}

TEST(XenRing, RandomTracesAgreeOnEveryIndexAndDecision) {
  const std::uint32_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (std::uint32_t slots = 1; slots <= 64; slots *= 2) {
    for (const std::uint32_t start : {0U, 0x7FFFFFF0U, UINT32_MAX - 2 * slots, UINT32_MAX}) {
      Twins twins(slots, start);
      for (int i = 0; i < 20'000; ++i) {
        // Bursts of one operation, so that rings fill, and steps of all, so that they mix.
        const auto operation = static_cast<int>(random() % kOperations);
        for (auto burst = random() % 4 == 0 ? random() % (slots + 2) : 1; burst > 0; --burst) {
          apply(twins, operation);
          ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", slots " << slots;
        }
        twins.compare();
        ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", slots " << slots;
      }
      EXPECT_GT(twins.xen_front.rsp_cons - start, 200U) << "the trace has to go somewhere";
    }
  }
}

// ---- Where ours is stricter ---------------------------------------------------------------------

// Every distance a lie can have around a small ring, then the extremes.
std::vector<std::uint32_t> lies_around(std::uint32_t index, std::uint32_t slots) {
  std::vector<std::uint32_t> lies;
  for (std::uint32_t i = 0; i <= 6 * slots; ++i) lies.push_back(index - 3 * slots + i);
  for (const std::uint32_t far : {0x7FFFFFFFU, 0x80000000U, 0x80000001U}) {
    lies.push_back(index + far);
  }
  return lies;
}

// Brings twins to: `published` requests out, `taken` of them at the backend, `answered` of those
// answered and published.
void advance(Twins& twins, std::uint32_t published, std::uint32_t taken, std::uint32_t answered) {
  for (std::uint32_t i = 0; i < published; ++i) twins.front_put();
  twins.front_publish();
  for (std::uint32_t i = 0; i < taken; ++i) twins.back_take();
  for (std::uint32_t i = 0; i < answered; ++i) twins.back_put();
  twins.back_publish();
}

TEST(XenRing, BackendCallsBrokenWhatXenDoesAndAProducerThatWentBack) {
  // A producer between the last response and the last request taken is no overflow to Xen, whose
  // backend then finds its ring nearly full of stale requests.
  constexpr std::uint32_t kSlots = 4;
  int stricter = 0;
  for (const std::uint32_t start : {0U, UINT32_MAX - 1}) {
    for (std::uint32_t published = 0; published <= kSlots; ++published) {
      for (std::uint32_t answered = 0; answered <= published; ++answered) {
        Twins twins(kSlots, start);
        advance(twins, published, published, answered);
        ASSERT_FALSE(HasFatalFailure());
        const std::uint32_t taken = start + published;
        for (const std::uint32_t lie : lies_around(start, kSlots)) {
          twins.shared().req_prod = lie;
          const bool overflow = twins.xen_back.overflow(lie);
          const bool went_back = lie - (start + answered) < published - answered;
          stricter += went_back ? 1 : 0;
          Back probe = twins.back;
          const Verdict expected = overflow || went_back ? Verdict::Broken
                                   : lie == taken        ? Verdict::Empty
                                                         : Verdict::Ready;
          ASSERT_EQ(probe.peek(), expected)
              << "req_prod " << lie << ", taken up to " << taken << ", answered " << answered;
        }
      }
    }
  }
  EXPECT_GT(stricter, 0);
}

TEST(XenRing, FrontendCallsBrokenWhatXenDoesAndResponsesToNothing) {
  // Xen allows rsp_prod a whole ring ahead of rsp_cons; ours only up to the requests published.
  constexpr std::uint32_t kSlots = 4;
  int stricter = 0;
  for (const std::uint32_t start : {0U, UINT32_MAX - 1}) {
    for (std::uint32_t published = 0; published <= kSlots; ++published) {
      for (std::uint32_t unpublished = 0; published + unpublished <= kSlots; ++unpublished) {
        Twins twins(kSlots, start);
        advance(twins, published, published, 0);
        for (std::uint32_t i = 0; i < unpublished; ++i) twins.front_put();
        ASSERT_FALSE(HasFatalFailure());
        for (const std::uint32_t lie : lies_around(start, kSlots)) {
          twins.shared().rsp_prod = lie;
          const bool overflow = twins.xen_front.overflow(lie);
          const bool unasked = !overflow && lie - start > published;
          stricter += unasked ? 1 : 0;
          Front probe = twins.front;
          const Verdict expected = overflow || unasked ? Verdict::Broken
                                   : lie == start      ? Verdict::Empty
                                                       : Verdict::Ready;
          ASSERT_EQ(probe.peek(), expected)
              << "rsp_prod " << lie << ", published up to " << start + published;
        }
      }
    }
  }
  EXPECT_GT(stricter, 0);
}

TEST(XenRing, NotificationDoesNotDependOnWhatAPeerWroteOverOurProducer) {
  // Xen reads the old producer back from shared memory; ours has its own record.
  Twins honest(8, 0);
  Twins scribbled(8, 0);
  scribbled.shared().req_prod = 77;
  for (Twins* twins : {&honest, &scribbled}) twins->front.put({1});
  EXPECT_EQ(honest.front.publish(), scribbled.front.publish());
  EXPECT_EQ(scribbled.shared().req_prod, 1U);
}

}  // namespace
}  // namespace cede::test
