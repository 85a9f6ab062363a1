// SPDX-License-Identifier: Apache-2.0
// Bells through the bridge, with the test as client and as QEMU.
#include "vmm/qemu/doorbell_bridge.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <stdexcept>

#include "tests/support/ivshmem_peer.h"
#include "vmm/qemu/ivshmem_server.h"

namespace cede::qemu {
namespace {

constexpr DoorbellBridge::Nanoseconds kMillisecond = 1'000'000;
constexpr DoorbellBridge::Nanoseconds kSecond = 1'000'000'000;

class DoorbellBridgeTest : public ::testing::Test {
 protected:
  DoorbellBridgeTest()
      : ends_(make_ends(std::move(socket_.server))),
        peer_(socket_.client.get()),
        bridge_(make_bridge()) {}

  static IvshmemEnds make_ends(Fd socket) {
    Result<IvshmemEnds> ends =
        IvshmemServer::make(std::move(socket), test::make_region(1UL << 20).get(), 1);
    if (!ends) throw std::runtime_error("no server");
    return *std::move(ends);
  }
  DoorbellBridge make_bridge() {
    Result<DoorbellBridge> bridge = DoorbellBridge::make(KickWaiter(std::move(kick_.waiter)),
                                                         CallRinger(std::move(call_.ringer)),
                                                         ends_.interrupts[0], ends_.doorbells[0]);
    if (!bridge) throw std::runtime_error("no bridge");
    return *std::move(bridge);
  }

  void kick() const { DoorbellRinger(Fd(::dup(kick_.ringer.get()))).ring(); }
  void guest_rings() const { EXPECT_EQ(::eventfd_write(peer_.doorbell(0), 1), 0); }
  // Bells that arrived since the last time.
  [[nodiscard]] std::uint64_t interrupts() const {
    std::uint64_t count = 0;
    return test::readable(peer_.vector(0)) && ::eventfd_read(peer_.vector(0), &count) == 0 ? count
                                                                                           : 0;
  }
  [[nodiscard]] int calls() const {
    char bell = 0;
    int count = 0;
    while (::recv(call_.waiter.get(), &bell, 1, MSG_DONTWAIT) > 0) ++count;
    return count;
  }
  [[nodiscard]] bool due() const { return test::readable(bridge_.fd()); }

  DoorbellEnds kick_ = *make_doorbell();
  DoorbellEnds call_ = *make_doorbell();
  test::BellSocket socket_;
  IvshmemEnds ends_;
  test::IvshmemPeer peer_;
  DoorbellBridge bridge_;
  DoorbellBridge::Nanoseconds now_ = 1000 * kSecond;
};

TEST_F(DoorbellBridgeTest, CarriesAKickAsAnInterrupt) {
  EXPECT_FALSE(due());
  EXPECT_EQ(bridge_.deadline(), DoorbellBridge::kNever);
  kick();
  EXPECT_TRUE(due());
  bridge_.turn(now_);
  EXPECT_EQ(interrupts(), 1U);
  EXPECT_EQ(calls(), 0);
  EXPECT_FALSE(due());
  bridge_.turn(now_);
  EXPECT_EQ(interrupts(), 0U);
}

TEST_F(DoorbellBridgeTest, CarriesTheGuestsDoorbellAsACall) {
  guest_rings();
  EXPECT_TRUE(due());
  bridge_.turn(now_);
  EXPECT_EQ(calls(), 1);
  EXPECT_EQ(interrupts(), 0U);
  EXPECT_FALSE(due());
}

TEST_F(DoorbellBridgeTest, ManyBellsAreOne) {
  for (int i = 0; i < 5; ++i) kick();
  for (int i = 0; i < 1000; ++i) guest_rings();
  bridge_.turn(now_);
  EXPECT_EQ(interrupts(), 1U);
  EXPECT_EQ(calls(), 1);
  EXPECT_FALSE(due());
}

TEST_F(DoorbellBridgeTest, EveryBellArrivesAtAnHonestRate) {
  for (int i = 0; i < 10'000; ++i) {
    now_ += DoorbellBridge::kFair;
    kick();
    guest_rings();
    ASSERT_TRUE(due());
    bridge_.turn(now_);
    ASSERT_EQ(interrupts(), 1U) << i;
    ASSERT_EQ(calls(), 1) << i;
  }
  EXPECT_EQ(bridge_.kicks().storms, 0U);
  EXPECT_EQ(bridge_.calls().storms, 0U);
}

TEST_F(DoorbellBridgeTest, AStormOfKicksIsHeldBackAndTheLastKickStillArrives) {
  std::uint64_t arrived = 0;
  const auto end = now_ + 10 * kSecond;
  while (now_ < end) {
    kick();
    if (due()) {
      bridge_.turn(now_);
      now_ += 1000;  // twenty times the fair rate
    } else {
      now_ = bridge_.deadline();
      ASSERT_NE(now_, DoorbellBridge::kNever);
      bridge_.turn(now_);
    }
    arrived += interrupts();
  }
  EXPECT_GT(bridge_.kicks().storms, 10U);
  EXPECT_LT(arrived, 3000U) << "in ten seconds; some 130 for each storm";
  EXPECT_EQ(bridge_.calls().storms, 0U) << "the other direction is not concerned";

  while (due()) bridge_.turn(now_);
  (void)interrupts();
  guest_rings();
  bridge_.turn(now_);
  EXPECT_EQ(calls(), 1) << "even now";
  kick();
  bridge_.turn(now_ + 2 * kSecond);
  EXPECT_EQ(interrupts(), 1U);
}

TEST_F(DoorbellBridgeTest, AGuestThatRingsForEverIsHeldBack) {
  int arrived = 0;
  const auto end = now_ + 10 * kSecond;
  while (now_ < end) {
    guest_rings();
    if (due()) {
      bridge_.turn(now_);
      now_ += 1000;
    } else {
      now_ = bridge_.deadline();
      ASSERT_NE(now_, DoorbellBridge::kNever);
      bridge_.turn(now_);
    }
    arrived += calls();
  }
  EXPECT_GT(bridge_.calls().storms, 10U);
  EXPECT_LT(arrived, 3000);
}

TEST_F(DoorbellBridgeTest, KicksCanBeHeldUntilATime) {
  bridge_.hold_kicks(now_ + 5 * kMillisecond);
  kick();
  EXPECT_FALSE(due());
  EXPECT_EQ(bridge_.deadline(), now_ + 5 * kMillisecond);
  bridge_.turn(now_ + kMillisecond);
  EXPECT_EQ(interrupts(), 0U);
  guest_rings();
  EXPECT_TRUE(due());
  bridge_.turn(now_ + kMillisecond);
  EXPECT_EQ(calls(), 1);
  bridge_.turn(now_ + 5 * kMillisecond);
  EXPECT_EQ(interrupts(), 1U);
  EXPECT_EQ(bridge_.deadline(), DoorbellBridge::kNever);
}

TEST_F(DoorbellBridgeTest, AClientThatDisconnectsOrClosesCausesNoSpin) {
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  ASSERT_EQ(::connect(kick_.ringer.get(), &nowhere, sizeof nowhere), 0);
  for (int i = 0; i < 10 && due(); ++i) bridge_.turn(now_);
  EXPECT_FALSE(due());
  kick_.ringer.reset();
  call_.waiter.reset();
  guest_rings();
  for (int i = 0; i < 10 && due(); ++i) bridge_.turn(now_);
  EXPECT_FALSE(due());
}

TEST_F(DoorbellBridgeTest, ErrorsOfADeafKickWakeNobody) {
  bridge_.hold_kicks(now_ + kSecond);
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  ASSERT_EQ(::connect(kick_.ringer.get(), &nowhere, sizeof nowhere), 0);
  EXPECT_FALSE(due());
}

TEST_F(DoorbellBridgeTest, AHostileQemuCanLoseItsBellsAndDoNoMore) {
  for (const int fd : {peer_.vector(0), peer_.doorbell(0)}) {
    ASSERT_EQ(::eventfd_write(fd, UINT64_MAX - 1), 0);
    ASSERT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  }
  for (int i = 0; i < 100; ++i) {
    kick();
    bridge_.turn(now_ += kMillisecond);
  }
  EXPECT_EQ(calls(), 1);
  // QEMU is gone.
  peer_.messages.clear();
  kick();
  bridge_.turn(now_ += kMillisecond);
  EXPECT_FALSE(due());
}

TEST_F(DoorbellBridgeTest, TheNextSessionBeginsWithoutTheBellsOfTheLast) {
  guest_rings();
  DoorbellEnds kick = *make_doorbell();
  DoorbellEnds call = *make_doorbell();
  bridge_ =
      *DoorbellBridge::make(KickWaiter(std::move(kick.waiter)), CallRinger(std::move(call.ringer)),
                            ends_.interrupts[0], ends_.doorbells[0]);
  EXPECT_FALSE(due());
  guest_rings();
  EXPECT_TRUE(due());
  bridge_.turn(now_);
  EXPECT_TRUE(test::readable(call.waiter.get()));
  EXPECT_EQ(calls(), 0);
}

TEST_F(DoorbellBridgeTest, ACallThatNobodyTakesBlocksNobody) {
  for (int i = 0; i < 1000; ++i) {
    guest_rings();
    bridge_.turn(now_ += kMillisecond);
  }
  EXPECT_GE(calls(), 1);
}

}  // namespace
}  // namespace cede::qemu
