// SPDX-License-Identifier: Apache-2.0
// Each half of protocols/ring.h with a half of the official Xen ring.h, on one ring, in two
// threads.
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "protocols/ring.h"
#include "tests/support/xen_ring.h"

namespace cede::test {
namespace {

Found found(Verdict verdict) {
  return verdict == Verdict::Ready   ? Found::Item
         : verdict == Verdict::Empty ? Found::Nothing
                                     : Found::Overflow;
}
template <class Ring>
Found take(Ring& ring, Item& item) {
  if constexpr (requires { ring.final_check(); }) {
    return ring.take(item);
  } else {
    return found(ring.take(item));
  }
}
template <class Ring>
bool may_sleep(Ring& ring) {
  if constexpr (requires { ring.final_check(); }) {
    return !ring.final_check();
  } else {
    return ring.arm() == Verdict::Empty;
  }
}

class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

constexpr std::uint64_t kItems = 20'000;

template <class AnyFront>
void request_all(AnyFront& front, Bell& kick, Bell& call) {
  std::uint64_t sent = 0;
  std::uint64_t sum = 0;
  for (std::uint64_t answered = 0; answered < kItems;) {
    while (sent < kItems && front.free_slots() != 0) front.put({++sent});
    if (front.publish()) kick.ring();
    Item item{};
    Found what{};
    while ((what = take(front, item)) == Found::Item) {
      sum += item.value;
      ++answered;
    }
    ASSERT_EQ(what, Found::Nothing);
    const bool must_wait = sent == kItems || front.free_slots() == 0;
    if (answered < kItems && must_wait && may_sleep(front)) call.wait();
  }
  EXPECT_EQ(sum, 2 * (kItems * (kItems + 1) / 2));
}

template <class AnyBack>
void answer_all(AnyBack& back, Bell& kick, Bell& call) {
  for (std::uint64_t answered = 0; answered < kItems;) {
    Item item{};
    Found what{};
    while ((what = take(back, item)) == Found::Item) {
      back.put({item.value * 2});
      ++answered;
      if (answered % 3 == 0 && back.publish()) call.ring();
    }
    ASSERT_EQ(what, Found::Nothing);
    if (back.publish()) call.ring();
    if (answered < kItems && may_sleep(back)) kick.wait();
  }
}

struct Region {
  alignas(kCacheLine) std::byte bytes[RingShape::kSlots + 64 * sizeof(Item)];
  CedeShared* shared() { return reinterpret_cast<CedeShared*>(bytes); }
};

template <class AnyFront, class AnyBack>
void converse(AnyFront front, AnyBack back) {
  Bell kick;
  Bell call;
  std::thread backend([&] { answer_all(back, kick, call); });
  request_all(front, kick, call);
  backend.join();
}

TEST(XenRing, OurFrontendIsServedByABackendOfXensMacros) {
  for (const std::uint32_t slots : {1U, 4U, 64U}) {
    Region region;
    format_ring(region.bytes);
    converse(FrontRing<Item, Item>(region.bytes, {slots, sizeof(Item)}),
             XenBack<CedeShared>(region.shared(), slots, 0));
  }
}

TEST(XenRing, OurBackendServesAFrontendOfXensMacros) {
  for (const std::uint32_t slots : {1U, 4U, 64U}) {
    Region region;
    format_ring(region.bytes);
    converse(XenFront<CedeShared>(region.shared(), slots, 0),
             BackRing<Item, Item>(region.bytes, {slots, sizeof(Item)}));
  }
}

}  // namespace
}  // namespace cede::test
