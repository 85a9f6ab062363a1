// SPDX-License-Identifier: Apache-2.0
// The ring by itself: order, room, wrap, lies of the peer; and asleep, between threads and between
// processes. xen_ring_test.cc compares it with Xen's, ring_handshake/ explores its interleavings.
#include "protocols/ring.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <vector>

#include "protocols/block.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/mapping.h"

namespace cede {
namespace {

using block::Request;
using block::Response;
using Front = FrontRing<Request, Response>;
using Back = BackRing<Request, Response>;

constexpr std::uint32_t kSlotBytes = block::kSlotBytes;

// A ring in memory of its own, and ways to lie in it.
class Ring {
 public:
  explicit Ring(std::uint32_t slots, std::uint32_t start = 0)
      : shape_{slots, kSlotBytes},
        memory_(new (std::align_val_t{kCacheLine}) std::byte[shape_.bytes()]) {
    format_ring(base());
    write(RingShape::kFrontLine, start);
    write(RingShape::kFrontLine + RingShape::kToEvent, start + 1);
    write(RingShape::kBackLine, start);
    write(RingShape::kBackLine + RingShape::kToEvent, start + 1);
  }
  [[nodiscard]] std::byte* base() const { return memory_.get(); }
  [[nodiscard]] RingShape shape() const { return shape_; }
  void req_prod(std::uint32_t value) const { write(RingShape::kFrontLine, value); }
  void rsp_prod(std::uint32_t value) const { write(RingShape::kBackLine, value); }
  void req_event(std::uint32_t value) const {
    write(RingShape::kBackLine + RingShape::kToEvent, value);
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const {
      ::operator delete[](memory, std::align_val_t{kCacheLine});
    }
  };
  void write(std::size_t offset, std::uint32_t value) const {
    SharedIndex(base() + offset).store(value, std::memory_order_relaxed);
  }

  RingShape shape_;
  std::unique_ptr<std::byte[], Free> memory_;
};

Request request(std::uint32_t id) {
  return {.type = VIRTIO_BLK_T_IN, .id = id, .sector = id};
}

TEST(RingShape, ValidExactlyForPowersOfTwoInRange) {
  for (std::uint32_t slots : {1U, 2U, 64U, 4096U}) {
    for (std::uint32_t bytes : {8U, 32U, 64U, 256U}) EXPECT_TRUE((RingShape{slots, bytes}.valid()));
  }
  for (std::uint32_t slots : {0U, 3U, 4095U, 8192U, 1U << 31, UINT32_MAX}) {
    EXPECT_FALSE((RingShape{slots, 32}.valid())) << slots;
  }
  for (std::uint32_t bytes : {0U, 4U, 12U, 512U, 1U << 31, UINT32_MAX}) {
    EXPECT_FALSE((RingShape{8, bytes}.valid())) << bytes;
  }
  EXPECT_EQ((RingShape{4096, 256}.bytes()), RingShape::kSlots + (1U << 20));
}

TEST(Ring, RequestsArriveInOrderAndResponsesComeBack) {
  const Ring ring(4);
  Front front(ring.base(), ring.shape());
  Back back(ring.base(), ring.shape());
  Request taken;
  Response answer;
  front.put(request(7));
  EXPECT_EQ(back.take(taken), Verdict::Empty) << "not published yet";
  EXPECT_TRUE(front.publish()) << "the first publication rings";
  ASSERT_EQ(back.take(taken), Verdict::Ready);
  EXPECT_EQ(taken.id, 7U);
  EXPECT_EQ(back.take(taken), Verdict::Empty);
  back.put({.id = 7, .status = VIRTIO_BLK_S_IOERR});
  EXPECT_EQ(front.take(answer), Verdict::Empty) << "not published yet";
  EXPECT_TRUE(back.publish());
  ASSERT_EQ(front.take(answer), Verdict::Ready);
  EXPECT_EQ(answer.id, 7U);
  EXPECT_EQ(answer.status, static_cast<std::uint32_t>(VIRTIO_BLK_S_IOERR));
  EXPECT_EQ(front.in_flight(), 0U);
  EXPECT_EQ(back.in_flight(), 0U);
}

TEST(Ring, AllIndicesWrapAtTwoToThe32) {
  for (const std::uint32_t slots : {1U, 8U, 64U}) {
    const std::uint32_t start = UINT32_MAX - slots;
    const Ring ring(slots, start);
    Front front(ring.base(), ring.shape(), start);
    Back back(ring.base(), ring.shape(), start);
    for (std::uint32_t id = 0; id < 4 * slots; ++id) {
      Request taken;
      Response answer;
      front.put(request(id));
      ASSERT_TRUE(front.publish());
      ASSERT_EQ(back.take(taken), Verdict::Ready);
      ASSERT_EQ(taken.id, id);
      ASSERT_EQ(back.arm(), Verdict::Empty);
      back.put({.id = id});
      ASSERT_TRUE(back.publish());
      ASSERT_EQ(front.take(answer), Verdict::Ready);
      ASSERT_EQ(answer.id, id);
      ASSERT_EQ(front.arm(), Verdict::Empty);
    }
  }
}

TEST(Ring, IsFullWhenNothingWasAnsweredAndTheResponsesStillHaveRoom) {
  const Ring ring(8);
  Front front(ring.base(), ring.shape());
  Back back(ring.base(), ring.shape());
  for (std::uint32_t lap = 0; lap < 3; ++lap) {
    for (std::uint32_t id = 0; id < 8; ++id) {
      ASSERT_EQ(front.free_slots(), 8 - id);
      front.put(request(id));
    }
    EXPECT_EQ(front.free_slots(), 0U);
    (void)front.publish();
    Request taken;
    for (std::uint32_t id = 0; id < 8; ++id) ASSERT_EQ(back.take(taken), Verdict::Ready);
    ASSERT_EQ(back.take(taken), Verdict::Empty);
    EXPECT_EQ(back.in_flight(), 8U);
    // The frontend has read no response, and every one of them fits.
    for (std::uint32_t id = 8; id-- > 0;) back.put({.id = id});
    (void)back.publish();
    EXPECT_EQ(front.free_slots(), 0U) << "a response not read is a slot not free";
    Response answer;
    for (std::uint32_t id = 8; id-- > 0;) {
      ASSERT_EQ(front.take(answer), Verdict::Ready);
      ASSERT_EQ(answer.id, id) << "answered in any order";
    }
    EXPECT_EQ(front.free_slots(), 8U);
  }
}

TEST(Ring, RingsOnceForABatchAndNotWhileThePeerIsAwake) {
  const Ring ring(64);
  Front front(ring.base(), ring.shape());
  Back back(ring.base(), ring.shape());
  EXPECT_FALSE(front.publish()) << "nothing new";
  for (std::uint32_t id = 0; id < 10; ++id) front.put(request(id));
  EXPECT_TRUE(front.publish());
  Request taken;
  for (std::uint32_t id = 0; id < 10; ++id) ASSERT_EQ(back.take(taken), Verdict::Ready);
  front.put(request(10));
  EXPECT_FALSE(front.publish()) << "the backend has not asked again";
  EXPECT_EQ(back.arm(), Verdict::Ready) << "and finds the request before it sleeps";
  ASSERT_EQ(back.take(taken), Verdict::Ready);
  EXPECT_EQ(back.arm(), Verdict::Empty);
  front.put(request(11));
  front.put(request(12));
  EXPECT_TRUE(front.publish());
  front.put(request(13));
  EXPECT_FALSE(front.publish()) << "rung already";
}

TEST(Ring, AnEventFurtherAheadAsksForBatches) {
  const Ring ring(64);
  Front front(ring.base(), ring.shape());
  ring.req_event(5);
  for (std::uint32_t published = 1; published <= 8; ++published) {
    front.put(request(published));
    EXPECT_EQ(front.publish(), published == 5) << published;
  }
}

TEST(Ring, AProducerAheadOfTheRingIsBroken) {
  for (const std::uint32_t lie : {9U, 100U, 0x7FFFFFFFU, 0x80000000U, 0x80000001U, UINT32_MAX}) {
    const Ring ring(8);
    Front front(ring.base(), ring.shape());
    Back back(ring.base(), ring.shape());
    ring.req_prod(lie);
    ring.rsp_prod(lie);
    Request taken;
    Response answer;
    EXPECT_EQ(back.peek(), Verdict::Broken) << lie;
    EXPECT_EQ(back.take(taken), Verdict::Broken) << lie;
    EXPECT_EQ(back.arm(), Verdict::Broken) << lie;
    EXPECT_EQ(front.peek(), Verdict::Broken) << lie;
    EXPECT_EQ(front.take(answer), Verdict::Broken) << lie;
    EXPECT_EQ(front.arm(), Verdict::Broken) << lie;
    EXPECT_EQ(back.in_flight(), 0U);
  }
}

TEST(Ring, AProducerThatGoesBackIsBroken) {
  const Ring ring(8);
  Front front(ring.base(), ring.shape());
  Back back(ring.base(), ring.shape());
  Request taken;
  Response answer;
  for (std::uint32_t id = 0; id < 4; ++id) front.put(request(id));
  (void)front.publish();
  for (std::uint32_t id = 0; id < 4; ++id) ASSERT_EQ(back.take(taken), Verdict::Ready);
  ring.req_prod(3);
  EXPECT_EQ(back.take(taken), Verdict::Broken);
  ring.req_prod(4);
  for (std::uint32_t id = 0; id < 2; ++id) back.put({.id = id});
  (void)back.publish();
  ASSERT_EQ(front.take(answer), Verdict::Ready);
  ASSERT_EQ(front.take(answer), Verdict::Ready);
  ring.rsp_prod(1);
  EXPECT_EQ(front.take(answer), Verdict::Broken);
}

TEST(Ring, AResponseToNothingIsBroken) {
  const Ring ring(8);
  Front front(ring.base(), ring.shape());
  Response answer;
  ring.rsp_prod(1);
  EXPECT_EQ(front.take(answer), Verdict::Broken) << "nothing was asked";
  front.put(request(0));
  EXPECT_EQ(front.take(answer), Verdict::Broken) << "and nothing was published";
  (void)front.publish();
  EXPECT_EQ(front.take(answer), Verdict::Ready);
}

TEST(Ring, AFrontendCannotHaveMoreInFlightThanSlots) {
  const Ring ring(8);
  Back back(ring.base(), ring.shape());
  Request taken;
  ring.req_prod(8);
  for (int i = 0; i < 8; ++i) ASSERT_EQ(back.take(taken), Verdict::Ready);
  ring.req_prod(9);
  EXPECT_EQ(back.take(taken), Verdict::Broken) << "its response would have no slot";
  back.put({});
  EXPECT_EQ(back.take(taken), Verdict::Ready) << "one slot came free";
}

TEST(Ring, ALieIsOnlyBelievedUntilTheNextLook) {
  // What was judged stays judged: a producer that falls back in between changes nothing.
  const Ring ring(8);
  Back back(ring.base(), ring.shape());
  Request taken;
  ring.req_prod(3);
  ASSERT_EQ(back.take(taken), Verdict::Ready);
  ring.req_prod(0);
  EXPECT_EQ(back.take(taken), Verdict::Ready);
  EXPECT_EQ(back.take(taken), Verdict::Ready);
  EXPECT_EQ(back.take(taken), Verdict::Broken);
}

// ---- Asleep ------------------------------------------------------------------------------------

constexpr std::uint32_t kItems = 20'000;
constexpr int kLostWakeUp = 20'000;  // milliseconds of silence that mean a wake-up was lost

// Waits as the driver does: for edges only.
class EdgeWaiter {
 public:
  explicit EdgeWaiter(Fd kick) : kick_(std::move(kick)), set_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event edge{};
    edge.events = EPOLLIN | EPOLLET;
    if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, kick_.fd(), &edge) != 0) std::abort();
  }
  [[nodiscard]] bool wait() const {
    epoll_event event{};
    if (::epoll_wait(set_.get(), &event, 1, kLostWakeUp) != 1) return false;
    kick_.clear();
    return true;
  }

 private:
  KickWaiter kick_;
  Fd set_;
};

// Asks for kItems items and checks each answer. False: it slept and was not woken.
bool run_frontend(std::byte* base, RingShape shape, const KickRinger& kick,
                  const CallWaiter& call) {
  Front front(base, shape);
  std::vector<bool> answered(kItems);
  std::uint32_t sent = 0;
  for (std::uint32_t done = 0; done < kItems;) {
    while (sent < kItems && front.free_slots() != 0) front.put(request(sent++));
    if (front.publish()) kick.ring();
    Response answer;
    Verdict verdict{};
    while ((verdict = front.take(answer)) == Verdict::Ready) {
      if (answer.id >= kItems || answered[answer.id] || answer.status != answer.id + 1)
        return false;
      answered[answer.id] = true;
      ++done;
    }
    if (verdict == Verdict::Broken) return false;
    if (done == kItems || (sent < kItems && front.free_slots() != 0)) continue;
    if (front.arm() != Verdict::Empty) continue;
    pollfd wait{.fd = call.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, kLostWakeUp) != 1) return false;
    call.clear();
  }
  return true;
}

bool run_backend(std::byte* base, RingShape shape, const EdgeWaiter& kick, const CallRinger& call) {
  Back back(base, shape);
  for (std::uint32_t done = 0; done < kItems;) {
    Request taken;
    Verdict verdict{};
    while ((verdict = back.take(taken)) == Verdict::Ready) {
      if (taken.sector != taken.id) return false;
      back.put({.id = taken.id, .status = taken.id + 1});
      ++done;
    }
    if (back.publish()) call.ring();
    if (verdict == Verdict::Broken) return false;
    if (done < kItems && back.arm() == Verdict::Empty && !kick.wait()) return false;
  }
  return true;
}

TEST(RingAsleep, ThreadsLoseNoWakeUp) {
  for (const std::uint32_t slots : {1U, 2U, 32U}) {
    const Ring ring(slots);
    auto kick = make_doorbell();
    auto call = make_doorbell();
    ASSERT_TRUE(kick && call);
    bool served = false;
    std::thread backend([&] {
      const EdgeWaiter waiter(std::move(kick->waiter));
      served = run_backend(ring.base(), ring.shape(), waiter, CallRinger(std::move(call->ringer)));
    });
    EXPECT_TRUE(run_frontend(ring.base(), ring.shape(), KickRinger(std::move(kick->ringer)),
                             CallWaiter(std::move(call->waiter))))
        << slots << " slots";
    backend.join();
    EXPECT_TRUE(served) << slots << " slots";
  }
}

TEST(RingAsleep, ProcessesLoseNoWakeUpOverAMemfd) {
  const RingShape shape{8, kSlotBytes};
  const std::size_t size = 4096;
  const Fd memory(::memfd_create("ring", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(memory.get(), size), 0);
  auto kick = make_doorbell();
  auto call = make_doorbell();
  ASSERT_TRUE(kick && call);
  auto mapping = Mapping::map(memory.get(), size);
  ASSERT_TRUE(mapping);
  format_ring(mapping->data());

  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Its own mapping, at its own address.
    auto own = Mapping::map(memory.get(), size);
    const EdgeWaiter waiter(std::move(kick->waiter));
    const bool served =
        own && run_backend(own->data(), shape, waiter, CallRinger(std::move(call->ringer)));
    ::_exit(served ? 0 : 1);
  }
  EXPECT_TRUE(run_frontend(mapping->data(), shape, KickRinger(std::move(kick->ringer)),
                           CallWaiter(std::move(call->waiter))));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace cede
