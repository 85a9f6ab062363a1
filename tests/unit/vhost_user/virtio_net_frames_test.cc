// SPDX-License-Identifier: Apache-2.0
// Frames of all shapes, both ways between a guest and the switch.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "tests/unit/vhost_user/virtio_net_fixture.h"

namespace cede::vhost_user {
namespace {

using VirtioNetFrames = VirtioNetTest;

INSTANTIATE_TEST_SUITE_P(, VirtioNetFrames, testing::Bool(),
                         [](const auto& one) { return one.param ? "Packed" : "Split"; });

TEST_P(VirtioNetFrames, AHeaderSplitAtEveryByteArrivesWhole) {
  const net::Header header{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                           .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                           .hdr_len = 54,
                           .gso_size = 1000,
                           .csum_start = 34,
                           .csum_offset = 16,
                           .num_buffers = 0};
  for (const bool indirect : {false, true}) {
    for (std::uint32_t cut = 1; cut < kHeader + 20; ++cut) {
      const Bytes frame = pattern(1514, cut);
      send(header, frame, {cut}, indirect);
      const auto sent = switch_->take();
      ASSERT_TRUE(sent) << cut;
      EXPECT_EQ(std::memcmp(&sent->header, &header, sizeof header), 0) << cut;
      EXPECT_EQ(sent->bytes, frame) << cut;
      ASSERT_TRUE(rings_[1].take()) << "and the guest has its buffers back";
    }
  }
}

TEST_P(VirtioNetFrames, EighteenTinyBuffersAndEmptyOnesAreOneFrame) {
  const Bytes frame = pattern(60);
  for (const bool indirect : {false, true}) {
    send({}, frame, {1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1}, indirect);
    const auto sent = switch_->take();
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->bytes, frame);
    EXPECT_TRUE(rings_[1].take());
  }
}

TEST_P(VirtioNetFrames, FramesOfEveryLengthPassAndImpossibleOnesAreDropped) {
  for (const std::uint32_t length : {net::kMinFrame, 60U, 1514U, 65550U, net::kMaxFrame}) {
    send({}, pattern(length), {kHeader});
    const auto sent = switch_->take();
    ASSERT_TRUE(sent) << length;
    EXPECT_EQ(sent->bytes, pattern(length));
  }
  for (const std::uint32_t length : {1U, kHeader - 1, kHeader, kHeader + net::kMinFrame - 1,
                                     kHeader + net::kMaxFrame + 1, 500'000U}) {
    send_raw(pattern(length), {});
    EXPECT_FALSE(switch_->take()) << length;
  }
  int given_back = 0;
  while (rings_[1].take()) ++given_back;
  EXPECT_EQ(given_back, 11) << "every buffer comes back, dropped or not";
  send({}, pattern(60), {});
  EXPECT_TRUE(switch_->take()) << "and the queue goes on";
}

// One line for all that was lost, where a session ends.
TEST_P(VirtioNetFrames, SaysWhatWasLost) {
  std::ostringstream log;
  const auto usual = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "log", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
  spdlog::set_pattern("%v");
  send_raw(pattern(10), {});
  send_raw(pattern(11), {});
  const net::Header segments{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                             .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                             .hdr_len = 54,
                             .gso_size = 100,
                             .csum_start = 34,
                             .csum_offset = 16,
                             .num_buffers = 0};
  ASSERT_TRUE(switch_->deliver(pattern(1000), segments));
  pass();
  device_.set_name("alice/eth0");
  device_.disconnect();
  EXPECT_EQ(log.str(), "alice/eth0: frames lost: 2 malformed, 1 that left too much undone\n");
  device_.disconnect();
  EXPECT_EQ(std::ranges::count(log.str(), '\n'), 1) << "nothing new";
  send({}, pattern(60), {});
  reach_switch();
  log.str("");
  device_.disconnect();
  EXPECT_EQ(log.str(), "alice/eth0: frames lost: 1 without a session\n");
  spdlog::set_default_logger(usual);
}

TEST_P(VirtioNetFrames, BuffersForTheDeviceToWriteAreNoFrame) {
  const GuestRing::Buffer buffer{kGuest + kData, 1500, true};
  ASSERT_TRUE(rings_[1].add(std::span(&buffer, 1)));
  (void)rings_[1].publish();
  pass();
  EXPECT_FALSE(switch_->take());
  EXPECT_TRUE(rings_[1].take());
}

TEST_P(VirtioNetFrames, TheShortHeaderOfLegacyDrivers) {
  device_.accept(0);
  const Bytes frame = pattern(100);
  send({}, frame, {}, false, 10);
  const auto sent = switch_->take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->bytes, frame);
  post({1524});
  ASSERT_TRUE(switch_->deliver(frame));
  pass();
  const auto used = rings_[0].take();
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 110U);
  EXPECT_EQ(std::memcmp(file_.at(kData + 10), frame.data(), frame.size()), 0);
}

TEST_P(VirtioNetFrames, AFrameTakesAsManyBuffersAsItNeeds) {
  const std::vector<std::uint32_t> lengths = {12, 100, 13, 1000, 512, 512};
  post(lengths);
  const Bytes frame = pattern(1600);
  ASSERT_TRUE(switch_->deliver(frame));
  pass();
  const auto got = receive({12, 100, 13, 1000, 512});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, frame);
  EXPECT_EQ(got->header.num_buffers, 5);
  EXPECT_EQ(got->lengths, (std::vector<std::uint32_t>{12, 100, 13, 1000, 487}));
  EXPECT_FALSE(rings_[0].take()) << "the sixth buffer is untouched";
}

TEST_P(VirtioNetFrames, A64KiBSegmentReachesAGuestWithSmallBuffers) {
  device_.accept(kModern | bit(VIRTIO_NET_F_GUEST_CSUM) | bit(VIRTIO_NET_F_GUEST_TSO4));
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), net::Offload::kChecksum | net::Offload::kTso4);
  const std::vector<std::uint32_t> lengths(44, 1536);
  post(lengths);
  const net::Header header{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                           .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                           .hdr_len = 54,
                           .gso_size = 1460,
                           .csum_start = 34,
                           .csum_offset = 16,
                           .num_buffers = 0};
  const Bytes frame = pattern(65549);
  ASSERT_TRUE(switch_->deliver(frame, header));
  pass();
  const auto got = receive(std::vector<std::uint32_t>(43, 1536));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, frame);
  EXPECT_EQ(got->header.num_buffers, 43);
  EXPECT_EQ(got->header.gso_size, 1460);
}

// No switch leaves a segment uncut whose checksum has to be complete.
TEST_P(VirtioNetFrames, SegmentationWithoutChecksumsIsNotAskedFor) {
  (void)switch_->offloads();
  device_.accept(kModern | bit(VIRTIO_NET_F_GUEST_TSO4) | bit(VIRTIO_NET_F_GUEST_TSO6));
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), std::nullopt);
  device_.accept(kModern | bit(VIRTIO_NET_F_GUEST_CSUM) | bit(VIRTIO_NET_F_GUEST_TSO6));
  (void)device_.progress();
  EXPECT_EQ(switch_->offloads(), net::Offload::kChecksum | net::Offload::kTso6);
}

TEST_P(VirtioNetFrames, AFrameThatFindsOneBufferTooFewWaitsForItAndSleeps) {
  post({512, 512});
  const Bytes frame = pattern(1100);
  ASSERT_TRUE(switch_->deliver(frame));
  ASSERT_TRUE(switch_->deliver(pattern(60))) << "and another behind it";
  pass();
  EXPECT_FALSE(rings_[0].take()) << "no buffer is used up";
  EXPECT_FALSE(device_.arm()) << "there is nothing to do: sleep";
  const GuestRing::Buffer more[] = {{kGuest + kData + 1024, 512, true}};
  ASSERT_TRUE(rings_[0].add(more));
  EXPECT_TRUE(rings_[0].publish()) << "the guest is asked for a kick";
  posted_ = 1536;
  pass();
  const auto got = receive({512, 512, 512});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, frame);
  post({512});
  EXPECT_TRUE(receive({512}, 1536)) << "the one behind it follows";
}

TEST_P(VirtioNetFrames, AFrameThatNoBuffersCanHoldIsDropped) {
  post(std::vector<std::uint32_t>(kSize, 64));
  ASSERT_TRUE(switch_->deliver(pattern(64 * kSize)));
  ASSERT_TRUE(switch_->deliver(pattern(40)));
  pass();
  const auto got = receive({64});
  ASSERT_TRUE(got) << "the next one is delivered";
  EXPECT_EQ(got->bytes, pattern(40));
}

TEST_P(VirtioNetFrames, WithoutMergeableBuffersAFrameThatIsTooLongIsDropped) {
  device_.accept(bit(VIRTIO_F_VERSION_1));
  post({1000, 1600});
  ASSERT_TRUE(switch_->deliver(pattern(1400)));
  ASSERT_TRUE(switch_->deliver(pattern(900)));
  pass();
  const auto got = receive({1000});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, pattern(900));
  EXPECT_EQ(got->header.num_buffers, 1);
  EXPECT_FALSE(rings_[0].take());
}

TEST_P(VirtioNetFrames, AReceiveBufferWithoutRoomForAHeaderBreaksItsQueueOnly) {
  for (const std::uint32_t length : {0U, 1U, kHeader - 1}) {
    post({length});
    ASSERT_TRUE(switch_->deliver(pattern(60)));
    pass();
    EXPECT_FALSE(device_.queue(0).running()) << length;
    EXPECT_FALSE(device_.queue(0).stopped()) << length;
    send({}, pattern(60), {});
    EXPECT_TRUE(switch_->take()) << "the guest still transmits";
    (void)device_.stop_queue(0);
    rings_[0].format();
    start_queue(0, GetParam() ? 0x8000U : 0);
  }
}

}  // namespace
}  // namespace cede::vhost_user
