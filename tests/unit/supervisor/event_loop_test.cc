// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "protocols/posix/fd.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{10'000};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
  Fd in;
  Fd out;
};

TEST(EventLoop, CallsAsLongAsADescriptorIsReadable) {
  EventLoop loop;
  const Pipe pipe;
  ASSERT_EQ(::write(pipe.out.get(), "abc", 3), 3);
  std::string got;
  const auto watch = loop.when_readable(pipe.in.get(), [&] {
    char c = 0;
    ASSERT_EQ(::read(pipe.in.get(), &c, 1), 1);
    got += c;
  });
  EXPECT_TRUE(loop.poll_until([&] { return got == "abc"; }, kLong));
}

TEST(EventLoop, ACallbackMayDropItsOwnRegistration) {
  EventLoop loop;
  const Pipe pipe;
  ASSERT_EQ(::write(pipe.out.get(), "abc", 3), 3);
  int calls = 0;
  EventLoop::Registration watch;
  watch = loop.when_readable(pipe.in.get(), [&] {
    ++calls;
    watch.reset();
  });
  EXPECT_FALSE(loop.poll_until([&] { return calls > 1; }, milliseconds(100)));
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, ADroppedRegistrationLeavesTheDescriptorOpen) {
  EventLoop loop;
  const Pipe pipe;
  loop.when_readable(pipe.in.get(), [] {}).reset();
  EXPECT_EQ(::write(pipe.out.get(), "a", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(pipe.in.get(), &c, 1), 1);
}

TEST(EventLoop, TimersFireOnceAndCanBeDropped) {
  EventLoop loop;
  int fired = 0;
  bool later = false;
  const auto kept = loop.after(milliseconds(1), [&] { ++fired; });
  auto dropped = loop.after(milliseconds(1), [&] { fired += 100; });
  dropped.reset();
  const auto last = loop.after(milliseconds(30), [&] { later = true; });
  EXPECT_TRUE(loop.poll_until([&] { return later; }, kLong));
  EXPECT_EQ(fired, 1);
}

TEST(EventLoop, PollingGivesUpAtTheLimitThoughNothingHappens) {
  EventLoop loop;
  EXPECT_FALSE(loop.poll_until([] { return false; }, milliseconds(20)));
}

TEST(EventLoop, SignalsBecomeCallbacks) {
  EventLoop loop;
  int calls = 0;
  const auto signals = loop.on_signals({SIGUSR1}, [&] { ++calls; });
  (void)std::raise(SIGUSR1);
  EXPECT_TRUE(loop.poll_until([&] { return calls == 1; }, kLong));
  (void)std::raise(SIGUSR1);
  EXPECT_TRUE(loop.poll_until([&] { return calls == 2; }, kLong));
}

}  // namespace
}  // namespace cede::supervisor
