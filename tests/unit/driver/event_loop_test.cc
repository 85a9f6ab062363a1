// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/engine/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <vector>

#include "tests/support/session_parts.h"

namespace cede::driver {
namespace {

class Recorder final : public Event {
 public:
  void complete(std::int32_t result, bool more) override {
    results.push_back(result);
    done = !more;
  }
  std::vector<std::int32_t> results;
  bool done = false;
};

TEST(EventLoop, OperationsThatWereNotNamedAtStartAreRefused) {
  EventLoop loop;
  loop.start({});
  for (const std::uint8_t forbidden : {IORING_OP_OPENAT, IORING_OP_CONNECT, IORING_OP_NOP,
                                       IORING_OP_READ, IORING_OP_SENDMSG, IORING_OP_UNLINKAT}) {
    Recorder event;
    loop.prepare(event).opcode = forbidden;
    loop.sleep(kNever);
    EXPECT_EQ(event.results, std::vector{-EACCES}) << int{forbidden};
  }
}

TEST(EventLoop, EveryRingOfADoorbellIsSeenAlthoughTheLastWasOnlyCleared) {
  EventLoop loop;
  loop.start({});
  Result<DoorbellEnds> bell = make_doorbell();
  ASSERT_TRUE(bell);
  const DoorbellRinger ringer(std::move(bell->ringer));
  const DoorbellWaiter waiter(std::move(bell->waiter));
  Recorder event;
  loop.watch(waiter.fd(), event);
  for (std::size_t i = 1; i <= 3; ++i) {
    ringer.ring();
    loop.sleep(kNever);
    EXPECT_EQ(event.results.size(), i);
    waiter.clear();
  }
  loop.unwatch(event);
  while (!event.done) loop.sleep(kNever);
  EXPECT_EQ(event.results.back(), -ECANCELED);
}

TEST(EventLoop, SleepEndsAtItsDeadline) {
  EventLoop loop;
  loop.start({});
  const Instant until = monotonic_now() + 5 * kMillisecond;
  loop.sleep(until);
  EXPECT_GE(monotonic_now(), until);
}

TEST(EventLoop, BuffersComeAndGo) {
  EventLoop loop;
  loop.start({});
  std::vector<std::byte> memory(1 << 16);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::uint16_t> held;
    while (true) {
      const Result<std::uint16_t> buffer = loop.pin(memory);
      if (!buffer) {
        EXPECT_EQ(buffer.status(), Status::Full);
        break;
      }
      held.push_back(*buffer);
    }
    EXPECT_EQ(held.size(), EventLoop::kBuffers);
    for (const std::uint16_t buffer : held) loop.unpin(buffer);
  }
}

}  // namespace
}  // namespace cede::driver
