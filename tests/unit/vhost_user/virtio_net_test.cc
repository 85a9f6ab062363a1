// SPDX-License-Identifier: Apache-2.0
// A guest's queues and sessions: what stops, starts, waits and breaks.
#include "tests/unit/vhost_user/virtio_net_fixture.h"

namespace cede::vhost_user {
namespace {

using VirtioNetQueues = VirtioNetTest;

INSTANTIATE_TEST_SUITE_P(, VirtioNetQueues, testing::Bool(),
                         [](const auto& one) { return one.param ? "Packed" : "Split"; });

TEST_P(VirtioNetQueues, AGuestThatGivesNoBuffersCostsTheSwitchNothingButItsOwn) {
  unsigned delivered = 0;
  for (; delivered < 1000 && switch_->deliver(pattern(60)); ++delivered) pass();
  EXPECT_GE(delivered, net::kMinSlots);
  EXPECT_LE(delivered, net::kMinSlots + 1)
      << "the session's receive ring is full, and nothing else grows";
  EXPECT_FALSE(device_.arm());
}

TEST_P(VirtioNetQueues, FramesForAStoppedQueueAreDroppedAndTheRingGoesRound) {
  (void)device_.stop_queue(0);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(switch_->deliver(pattern(60))) << i;
    pass();
  }
}

TEST_P(VirtioNetQueues, ASwitchThatAnswersNothingKeepsFramesInTheGuestsRing) {
  unsigned sent = 0;
  while (rings_[1].free_slots() > 0 && sent < 1000) {
    send({}, pattern(60), {});
    ++sent;
    while (rings_[1].take()) {
    }
  }
  EXPECT_EQ(sent, net::kMinSlots + kSize) << "a session's ring, then a guest's";
  EXPECT_FALSE(device_.arm()) << "sleep until there is room";
  ASSERT_TRUE(switch_->take());
  pass();
  EXPECT_TRUE(rings_[1].take()) << "a slot for a slot";
}

TEST_P(VirtioNetQueues, WithoutASessionFramesAreDroppedAndTheNextSessionGoesOn) {
  send({}, pattern(60), {});
  ASSERT_TRUE(switch_->take());
  device_.disconnect();
  send({}, pattern(61), {});
  EXPECT_FALSE(device_.arm());
  reach_switch();
  send({}, pattern(62), {});
  const auto sent = switch_->take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->bytes, pattern(62));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(rings_[1].take());
  post({1000});
  ASSERT_TRUE(switch_->deliver(pattern(60)));
  pass();
  EXPECT_TRUE(receive({1000}));
}

TEST_P(VirtioNetQueues, ANewSessionIsToldTheOffloadsAgain) {
  device_.accept(kModern | bit(VIRTIO_NET_F_GUEST_CSUM) | bit(VIRTIO_NET_F_GUEST_TSO6) |
                 bit(VIRTIO_NET_F_GUEST_ECN));
  constexpr std::uint32_t kWanted =
      net::Offload::kChecksum | net::Offload::kTso6 | net::Offload::kEcn;
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), kWanted);
  device_.disconnect();
  reach_switch();
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), kWanted);
}

// There is one bit for both versions of IP towards the switch, and two towards the guest.
TEST_P(VirtioNetQueues, DatagramsPassWholeBothWaysToAGuestThatTakesThemOfEitherVersion) {
  constexpr std::uint64_t kUso4 = bit(VIRTIO_NET_F_GUEST_CSUM) | bit(VIRTIO_NET_F_GUEST_USO4);
  device_.accept(kModern | kUso4);
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), net::Offload::kChecksum);
  device_.accept(kModern | kUso4 | bit(VIRTIO_NET_F_GUEST_USO6));
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), net::Offload::kChecksum | net::Offload::kUso);
  const net::Header header{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                           .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
                           .hdr_len = 42,
                           .gso_size = 1400,
                           .csum_start = 34,
                           .csum_offset = 6,
                           .num_buffers = 1};
  const Bytes frame = pattern(30'000);
  send(header, frame, {kHeader});
  const auto sent = switch_->take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(std::memcmp(&sent->header, &header, sizeof header), 0);
  EXPECT_EQ(sent->bytes, frame);
  post({32'000});
  ASSERT_TRUE(switch_->deliver(frame, header));
  pass();
  const auto got = receive({32'000});
  ASSERT_TRUE(got);
  EXPECT_EQ(std::memcmp(&got->header, &header, sizeof header), 0);
  EXPECT_EQ(got->bytes, frame);
}

TEST_P(VirtioNetQueues, ASwitchThatBreaksTheProtocolIsReportedAndTheGuestGoesOn) {
  switch_->receive[0].put({.length = UINT32_MAX, .header = {}});
  (void)switch_->receive[0].publish();
  pass();
  EXPECT_TRUE(device_.broken());
  EXPECT_FALSE(device_.arm());
  send({}, pattern(60), {});
  EXPECT_TRUE(rings_[1].take());
}

TEST_P(VirtioNetQueues, RingsGoRoundManyTimes) {
  post(std::vector<std::uint32_t>(kSize / 2, 128));
  for (unsigned i = 0; i < 10 * kSize; ++i) {
    const bool indirect = i % 3 == 0;
    send({}, pattern(60 + i % 50, i), {1 + i % 20, 5}, indirect);
    const auto sent = switch_->take();
    ASSERT_TRUE(sent) << i;
    EXPECT_EQ(sent->bytes, pattern(60 + i % 50, i));
    ASSERT_TRUE(rings_[1].take());
    ASSERT_TRUE(switch_->deliver(pattern(60 + i % 50, i)));
    pass();
    const auto used = rings_[0].take();
    ASSERT_TRUE(used) << i;
    EXPECT_EQ(used->length, kHeader + 60 + i % 50);
    posted_ = 0;
    post({128});
  }
}

TEST_P(VirtioNetQueues, AStoppedQueueContinuesWhereItWas) {
  for (int i = 0; i < 100; ++i) {
    send({}, pattern(60), {20, 20});
    ASSERT_TRUE(switch_->take());
    ASSERT_TRUE(rings_[1].take());
    const std::uint32_t base = device_.stop_queue(1);
    EXPECT_EQ(base, rings_[1].base());
    start_queue(1, base);
  }
}

TEST_P(VirtioNetQueues, AWaitingFrameDoesNotMoveTheBaseOfAStoppedQueue) {
  post({512, 512});
  ASSERT_TRUE(switch_->deliver(pattern(1400)));
  pass();
  EXPECT_EQ(device_.stop_queue(0), rings_[0].base());
}

// The front-end cannot know where a ring stands whose back-end died.
TEST_P(VirtioNetQueues, ARingOfADeadBackEndTellsWhereToContinue) {
  for (unsigned round = 0; round < 3 * kSize; ++round) {
    // Available when the back-end dies, in this lap and perhaps the next.
    post(std::vector<std::uint32_t>(std::min<std::size_t>(round % 3, rings_[0].free_slots()), 100));
    const std::uint32_t base = GetParam() ? 0x80008000U : 0;
    (void)device_.stop_queue(0);
    start_queue(0, base);
    if (rings_[0].free_slots() == kSize) post({100});
    ASSERT_TRUE(switch_->deliver(pattern(60, round)));
    pass();
    ASSERT_TRUE(rings_[0].take()) << round;
    posted_ = 0;
  }
}

TEST_P(VirtioNetQueues, AGuestOfOneQueuePairHearsEverythingAndLaterBoth) {
  post(std::vector<std::uint32_t>(8, 200));
  ASSERT_TRUE(switch_->deliver(pattern(60), {}, 0));
  ASSERT_TRUE(switch_->deliver(pattern(60), {}, 1));
  pass();
  EXPECT_TRUE(rings_[0].take());
  EXPECT_TRUE(rings_[0].take());
  device_.queue(2).enable(true);
  device_.queue(3).enable(true);
  post(std::vector<std::uint32_t>(8, 200), 2);
  ASSERT_TRUE(switch_->deliver(pattern(60), {}, 1));
  pass();
  EXPECT_TRUE(rings_[2].take());
  EXPECT_FALSE(rings_[0].take());
}

TEST_P(VirtioNetQueues, InterruptsComeWhenAskedForAndOnlyThen) {
  post({200, 200, 200});
  rings_[0].arm();
  const Fd call = test::checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  device_.queue(0).set_call(test::checked(::dup(call.get())));
  std::uint64_t count = 0;
  (void)!::read(call.get(), &count, sizeof count);
  const auto interrupted = [&] { return ::read(call.get(), &count, sizeof count) > 0; };
  ASSERT_TRUE(switch_->deliver(pattern(60)));
  pass();
  EXPECT_TRUE(interrupted());
  ASSERT_TRUE(switch_->deliver(pattern(60)));
  pass();
  EXPECT_FALSE(interrupted()) << "not asked for again";
}

TEST_P(VirtioNetQueues, OffersWhatTheDriverOfItsFirstSessionTakes) {
  VirtioNet device(1, net::kMinSlots);
  Switch plain(device.geometry(), net::Offload::kChecksum);
  ASSERT_EQ(device.connect(test::open_client(plain.parts, plain.info)), Status::Ok);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_CSUM), 0U);
  EXPECT_EQ(device.features() & bit(VIRTIO_NET_F_HOST_TSO4), 0U);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_GUEST_TSO4), 0U) << "the switch can cut";
  EXPECT_EQ(device.features() & bit(VIRTIO_NET_F_HOST_USO), 0U);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_GUEST_USO4), 0U);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_GUEST_USO6), 0U);
  EXPECT_NE(device_.features() & bit(VIRTIO_NET_F_HOST_USO), 0U) << "this one's takes all";
  EXPECT_EQ(device.features() & bit(VIRTIO_NET_F_MQ), 0U);
  EXPECT_EQ(device.set_mtu(1500), Status::Ok);
  for (const std::uint64_t mtu :
       {std::uint64_t{0}, std::uint64_t{67}, std::uint64_t{1501}, UINT64_MAX}) {
    EXPECT_EQ(device.set_mtu(mtu), Status::Invalid) << mtu;
  }
}

TEST_P(VirtioNetQueues, ADescriptionThatMakesNoSenseIsRefused) {
  VirtioNet device(1, net::kMinSlots);
  Switch odd(device.geometry());
  odd.info.mtu = 1;
  EXPECT_EQ(device.connect(test::open_client(odd.parts, odd.info)), Status::Invalid);
  EXPECT_FALSE(device.progress());
}

TEST_P(VirtioNetQueues, RingsThatLeaveTheMemoryStopTheirQueues) {
  device_.memory().clear();
  device_.rebind();
  EXPECT_FALSE(device_.queue(0).running());
  EXPECT_FALSE(device_.queue(1).running());
  ASSERT_TRUE(switch_->deliver(pattern(60)));
  pass();
  EXPECT_FALSE(device_.arm());
}

TEST_P(VirtioNetQueues, BuffersThatLeaveTheMemoryWhileAFrameWaitsAreNoHarm) {
  post({512});
  ASSERT_TRUE(switch_->deliver(pattern(1000)));
  pass();
  device_.memory().clear();
  // Only the rings are left.
  EXPECT_EQ(device_.memory().add({kGuest, kData, kUser, 0}, file_.fd()), Status::Ok);
  device_.rebind();
  post({512});
  EXPECT_FALSE(device_.queue(0).running());
  EXPECT_TRUE(device_.queue(1).running());
}

}  // namespace
}  // namespace cede::vhost_user
