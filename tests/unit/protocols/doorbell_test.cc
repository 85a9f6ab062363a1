// SPDX-License-Identifier: Apache-2.0
// Doorbells wake, and block nobody: full, flooded, fiddled with or closed. doorbell_hang_test.cc
// goes further and shows what other kinds of doorbell would do.
#include "protocols/posix/doorbell.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <span>
#include <thread>

#include "protocols/posix/channel.h"

namespace cede {
namespace {

struct Doorbell {
  Doorbell() : Doorbell(*make_doorbell()) {}

  DoorbellRinger ringer;
  DoorbellWaiter waiter;
  int ringer_fd;  // for tricks

 private:
  explicit Doorbell(DoorbellEnds ends)
      : ringer(Fd(ends.ringer.get())),
        waiter(std::move(ends.waiter)),
        ringer_fd(ends.ringer.release()) {}
};

bool readable(int fd, int milliseconds = 0) {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, milliseconds) == 1 && (poll.revents & POLLIN) != 0;
}

TEST(Doorbell, RingsUntilCleared) {
  const Doorbell bell;
  EXPECT_FALSE(readable(bell.waiter.fd()));
  bell.ringer.ring();
  EXPECT_TRUE(readable(bell.waiter.fd()));
  EXPECT_TRUE(readable(bell.waiter.fd())) << "until cleared";
  bell.waiter.clear();
  EXPECT_FALSE(readable(bell.waiter.fd()));
}

TEST(Doorbell, ClearsManyRingsAtOnceAndNothingToClearIsNoHarm) {
  const Doorbell bell;
  bell.waiter.clear();
  for (int i = 0; i < 5; ++i) bell.ringer.ring();
  bell.waiter.clear();
  EXPECT_FALSE(readable(bell.waiter.fd()));
}

TEST(Doorbell, AFullQueueBlocksNobodyAndIsStillRung) {
  const Doorbell bell;
  for (int i = 0; i < 100'000; ++i) bell.ringer.ring();
  EXPECT_TRUE(readable(bell.waiter.fd()));
  bell.waiter.clear();
  bell.ringer.ring();
  EXPECT_TRUE(readable(bell.waiter.fd())) << "clearing made room";
}

TEST(Doorbell, ThePeersFlagsAreNotOurs) {
  const Doorbell bell;
  // The waiter makes its end blocking and never reads.
  ASSERT_EQ(::fcntl(bell.waiter.fd(), F_SETFL, 0), 0);
  for (int i = 0; i < 100'000; ++i) bell.ringer.ring();
  // The ringer does the same, and there is nothing to clear.
  const Doorbell other;
  ASSERT_EQ(::fcntl(other.ringer_fd, F_SETFL, 0), 0);
  other.waiter.clear();
}

// The waiter never gets to close what a peer sent: the kernel refuses it at the sender, where it
// can.
TEST(Doorbell, CarriesNoDescriptorsWhereTheKernelCanRefuseThem) {
  const Doorbell bell;
  int passes = 1;
  socklen_t length = sizeof passes;
  const bool kernel_can =
      ::getsockopt(bell.waiter.fd(), SOL_SOCKET, kPassRights, &passes, &length) == 0;
  const char byte = 0;
  const int smuggled = bell.waiter.fd();
  const Status sent =
      send_packet(bell.ringer_fd, std::as_bytes(std::span(&byte, 1)), std::span(&smuggled, 1));
  EXPECT_EQ(sent == Status::Ok, !kernel_can);
}

TEST(Doorbell, AWaiterThatShutDownDisconnectedOrClosedHarmsNoRinger) {
  Doorbell shut;
  ASSERT_EQ(::shutdown(shut.waiter.fd(), SHUT_RDWR), 0);
  shut.ringer.ring();

  Doorbell disconnected;
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  ASSERT_EQ(::connect(disconnected.waiter.fd(), &nowhere, sizeof nowhere), 0);
  disconnected.ringer.ring();

  Doorbell closed;
  closed.waiter = DoorbellWaiter(Fd());
  closed.ringer.ring();  // and there is no SIGPIPE
}

TEST(Doorbell, ARingerThatSendsBackwardsIsHeldToItsQueue) {
  const Doorbell bell;
  const char junk[4096] = {};
  int sent = 0;
  while (::send(bell.waiter.fd(), junk, sizeof junk, MSG_DONTWAIT) > 0) ++sent;
  EXPECT_LT(sent, 10'000) << "the kernel bounds what nobody reads";
  bell.ringer.ring();
  EXPECT_TRUE(readable(bell.waiter.fd())) << "and the ringer's direction is another queue";
}

TEST(Doorbell, ClearReturnsUnderARingerThatNeverStops) {
  const Doorbell bell;
  std::atomic<bool> stop = false;
  std::thread flooder([&] {
    while (!stop) bell.ringer.ring();
  });
  for (int i = 0; i < 1000; ++i) bell.waiter.clear();
  stop = true;
  flooder.join();
}

// ---- Waiting for edges only, as a driver does ---------------------------------------------------

class EpollEdges {
 public:
  void watch(int fd) {
    epoll_event edge{};
    edge.events = EPOLLIN | EPOLLET;
    edge.data.fd = fd;
    ASSERT_EQ(::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &edge), 0);
  }
  [[nodiscard]] bool wait(int fd) {
    epoll_event event{};
    while (::epoll_wait(set_.get(), &event, 1, 10'000) == 1) {
      if (event.data.fd == fd) return true;
    }
    return false;
  }

 private:
  Fd set_{::epoll_create1(EPOLL_CLOEXEC)};
};

class UringMultishot {
 public:
  UringMultishot() {
    if (::io_uring_queue_init(64, &ring_, 0) != 0) std::abort();
  }
  ~UringMultishot() { ::io_uring_queue_exit(&ring_); }
  UringMultishot(const UringMultishot&) = delete;
  UringMultishot& operator=(const UringMultishot&) = delete;

  void watch(int fd) {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_poll_multishot(entry, fd, POLLIN);
    ::io_uring_sqe_set_data64(entry, static_cast<std::uint64_t>(fd));
    ASSERT_EQ(::io_uring_submit(&ring_), 1);
  }
  [[nodiscard]] bool wait(int fd) {
    __kernel_timespec limit{.tv_sec = 10, .tv_nsec = 0};
    io_uring_cqe* completion = nullptr;
    while (::io_uring_wait_cqe_timeout(&ring_, &completion, &limit) == 0) {
      const auto completed = static_cast<int>(::io_uring_cqe_get_data64(completion));
      const bool armed = (completion->flags & IORING_CQE_F_MORE) != 0;
      ::io_uring_cqe_seen(&ring_, completion);
      if (!armed) watch(completed);  // the flood of another overflowed the completion queue
      if (completed == fd) return true;
    }
    return false;
  }

 private:
  io_uring ring_{};
};

template <class Edges>
class DoorbellEdges : public ::testing::Test {};
using AllEdges = ::testing::Types<EpollEdges, UringMultishot>;
TYPED_TEST_SUITE(DoorbellEdges, AllEdges);

TYPED_TEST(DoorbellEdges, EveryRingWakes) {
  TypeParam edges;
  const Doorbell bell;
  edges.watch(bell.waiter.fd());
  for (int i = 0; i < 1000; ++i) {
    bell.ringer.ring();
    ASSERT_TRUE(edges.wait(bell.waiter.fd())) << "ring " << i;
    bell.waiter.clear();
  }
}

TYPED_TEST(DoorbellEdges, ARingAfterClearingAFullQueueWakes) {
  TypeParam edges;
  const Doorbell bell;
  edges.watch(bell.waiter.fd());
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 1000; ++i) bell.ringer.ring();
    ASSERT_TRUE(edges.wait(bell.waiter.fd()));
    bell.waiter.clear();
    // What was left of the flood may have edges of its own; this one comes whatever they do.
    while (readable(bell.waiter.fd())) bell.waiter.clear();
    bell.ringer.ring();
    ASSERT_TRUE(edges.wait(bell.waiter.fd()));
    bell.waiter.clear();
  }
}

TYPED_TEST(DoorbellEdges, AFloodingNeighbourSilencesNobody) {
  TypeParam edges;
  const Doorbell hostile;
  const Doorbell honest;
  edges.watch(hostile.waiter.fd());
  edges.watch(honest.waiter.fd());
  ASSERT_EQ(::fcntl(hostile.ringer_fd, F_SETFL, 0), 0);
  for (int i = 0; i < 100; ++i) {
    for (int flood = 0; flood < 1000; ++flood) hostile.ringer.ring();
    honest.ringer.ring();
    ASSERT_TRUE(edges.wait(honest.waiter.fd()));
    honest.waiter.clear();
    hostile.waiter.clear();
  }
}

}  // namespace
}  // namespace cede
