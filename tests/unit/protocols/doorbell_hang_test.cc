// SPDX-License-Identifier: Apache-2.0
// Why doorbells are datagram pairs: what a hostile peer does to other kinds, and fails to do to
// ours. Needs root, for pages whose faults in the kernel never end (userfaultfd; a file on FUSE
// does the same for anyone).
//
// Every victim and every attacker is a process of its own. Hangs are real, some survive SIGKILL,
// and each ends when the attacker is killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "protocols/posix/doorbell.h"
#include "tests/support/trapped_page.h"

namespace cede {
namespace {

using test::Attacker;
using test::kHangs;
using test::kReturns;
using test::Process;

TEST(DoorbellHang, APipesReaderHangsWhileItsWriterFaults) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  Attacker attacker([&](void* page) { (void)!::write(ends[1], page, 4096); });
  ASSERT_TRUE(attacker.ready());
  Process reader([&] {
    char bell = 0;
    (void)!::read(ends[0], &bell, 1);  // O_NONBLOCK, and yet
  });
  const bool hung = !reader.exits_within(kHangs);
  std::printf("a non-blocking read of such a pipe %s\n",
              hung ? "hangs" : "returns on this kernel: pipes may have become possible");
  attacker.kill();
  EXPECT_TRUE(reader.exits_within(kReturns)) << "it was the attacker's fault, and is over with it";
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(DoorbellHang, AnEventfdsRingerHangsWhenItsWaiterSaturatesIt) {
  const Fd shared(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::uint64_t most = UINT64_MAX - 1;
  ASSERT_EQ(::write(shared.get(), &most, sizeof most), static_cast<ssize_t>(sizeof most));
  ASSERT_EQ(::fcntl(shared.get(), F_SETFL, 0), 0);
  Process ringer([&] {
    const std::uint64_t one = 1;
    (void)!::write(shared.get(), &one, sizeof one);
  });
  EXPECT_FALSE(ringer.exits_within(kHangs)) << "then an eventfd would do, and be simpler";
}

TEST(DoorbellHang, AnOpenFileThatThePeerHoldsMayNotEvenBeClosed) {
  // The peer puts the file into an epoll set and waits for it on a trapped page, with the set's
  // mutex held. The last close of the file then waits for that mutex: SIGKILL does not help.
  Fd shared(::eventfd(1, EFD_CLOEXEC));
  Attacker attacker(
      [&](void* page) {
        const int set = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{};
        event.events = EPOLLIN;
        ::epoll_ctl(set, EPOLL_CTL_ADD, shared.get(), &event);
        ::epoll_wait(set, static_cast<epoll_event*>(page), 1, -1);
      },
      [&] { shared.reset(); });
  ASSERT_TRUE(attacker.ready());
  DoorbellEnds go = *make_doorbell();
  Process closer([&] {
    pollfd wait{.fd = go.waiter.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, kReturns);
    shared.reset();
  });
  shared.reset();  // not the last: `closer` waits with another
  DoorbellRinger(std::move(go.ringer)).ring();
  const bool hung = !closer.exits_within(kHangs);
  std::printf("closing such a file %s\n", hung ? "hangs" : "returns on this kernel");
  if (hung) {
    closer.send_kill();
    EXPECT_FALSE(closer.exits_within(kHangs)) << "not even killed";
  }
  attacker.kill();
  EXPECT_TRUE(closer.exits_within(kReturns));
}

// ---- The same tricks on ours --------------------------------------------------------------------

// Rings, waits, clears and closes: all that a side does with its ends.
void use_and_close(DoorbellEnds own) {
  const DoorbellRinger ringer(std::move(own.ringer));
  const DoorbellWaiter waiter(std::move(own.waiter));
  for (int i = 0; i < 1000; ++i) ringer.ring();
  pollfd poll{.fd = waiter.fd(), .events = POLLIN, .revents = 0};
  ::poll(&poll, 1, 0);
  waiter.clear();
}

class OurDoorbells : public ::testing::Test {
 protected:
  // What the victim holds and what its peer holds: a ringer of one bell, a waiter of the other.
  DoorbellEnds ours_;
  DoorbellEnds peers_;

  void SetUp() override {
    auto kick = make_doorbell();
    auto call = make_doorbell();
    ASSERT_TRUE(kick && call);
    ours_ = {std::move(kick->ringer), std::move(call->waiter)};
    peers_ = {std::move(call->ringer), std::move(kick->waiter)};
  }

  void survives(Attacker& attacker) {
    ASSERT_TRUE(attacker.ready());
    // The victim's process is the only one left with the victim's ends.
    Process victim([&] { use_and_close(std::move(ours_)); });
    ours_ = {};
    EXPECT_TRUE(victim.exits_within(kReturns));
    attacker.kill();
  }
};

TEST_F(OurDoorbells, SurviveAPeerStuckInReceiving) {
  DoorbellRinger(Fd(::fcntl(ours_.ringer.get(), F_DUPFD_CLOEXEC, 0))).ring();
  Attacker attacker([&](void* page) {
    ours_ = {};
    (void)!::recv(peers_.waiter.get(), page, 1, 0);
  });
  survives(attacker);
}

TEST_F(OurDoorbells, SurviveAPeerStuckInSending) {
  Attacker attacker([&](void* page) {
    ours_ = {};
    (void)!::send(peers_.ringer.get(), page, 4096, 0);
  });
  survives(attacker);
}

TEST_F(OurDoorbells, SurviveAPeerStuckInWaiting) {
  DoorbellRinger(Fd(::fcntl(ours_.ringer.get(), F_DUPFD_CLOEXEC, 0))).ring();
  Attacker attacker([&](void* page) {
    ours_ = {};
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(set, EPOLL_CTL_ADD, peers_.waiter.get(), &event);
    ::epoll_wait(set, static_cast<epoll_event*>(page), 1, -1);
  });
  survives(attacker);
}

}  // namespace
}  // namespace cede
