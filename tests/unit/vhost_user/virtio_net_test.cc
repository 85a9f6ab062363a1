// SPDX-License-Identifier: Apache-2.0
// A virtio-net device between a guest's driver and a switch's, both played by the test step by
// step, for each layout of the rings.
#include "frontend/vhost_user/virtio_net.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "protocols/ring.h"
#include "tests/support/client_session.h"
#include "tests/support/guest_ring.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using test::GuestRing;
using test::kGuest;
using test::kUser;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kModern = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF);
constexpr std::uint32_t kHeader = sizeof(net::Header);

Bytes pattern(std::size_t length, unsigned seed = 1) {
  Bytes bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed);
  return bytes;
}

// The driver domain's half of a session.
struct Switch {
  explicit Switch(const Geometry& geometry, std::uint32_t offloads = net::Offload::kAll)
      : parts(test::make_session_parts(geometry)),
        region(*Mapping::map(parts.driver.region.get(), geometry.bytes())),
        control(ring(net::kControlRing), geometry.ring_shape()) {
    for (std::uint16_t i = 0; i < geometry.rings; ++i) format_ring(ring(i));
    for (std::uint16_t i = 0; net::rings_for(i) < geometry.rings; ++i) {
      transmit.emplace_back(ring(net::transmit_ring(i)), geometry.ring_shape());
      receive.emplace_back(ring(net::receive_ring(i)), geometry.ring_shape());
    }
    info.mac = {{2, 0, 0, 0, 0, 1}};
    info.mtu = 1500;
    info.offloads = offloads;
    info.link_up = 1;
  }
  [[nodiscard]] std::byte* ring(std::uint16_t index) const {
    return region.data() + parts.geometry.ring_offset(index);
  }
  // The next frame from the client, answered.
  struct Sent {
    net::Header header;
    Bytes bytes;
  };
  std::optional<Sent> take(std::uint16_t pair = 0) {
    net::Transmit request;
    if (transmit[pair].take(request) != Verdict::Ready) return {};
    const std::byte* const place = region.data() + request.offset;
    transmit[pair].put({});
    (void)transmit[pair].publish();
    return Sent{request.header, Bytes(place, place + request.length)};
  }
  [[nodiscard]] bool deliver(const Bytes& frame, net::Header header = {}, std::uint16_t pair = 0) {
    std::vector<net::Received> parts_of_it;
    for (std::size_t at = 0; at < frame.size(); at += parts_of_it.back().length) {
      net::Buffer buffer;
      if (receive[pair].take(buffer) != Verdict::Ready) return false;
      const std::size_t part = std::min<std::size_t>(buffer.length, frame.size() - at);
      std::memcpy(region.data() + buffer.offset, frame.data() + at, part);
      parts_of_it.push_back({.length = static_cast<std::uint32_t>(part), .header = {}});
    }
    header.num_buffers = static_cast<std::uint16_t>(parts_of_it.size());
    parts_of_it.front().header = header;
    for (const net::Received& part : parts_of_it) receive[pair].put(part);
    (void)receive[pair].publish();
    return true;
  }
  // The last SetOffloads, agreed to.
  std::optional<std::uint64_t> offloads() {
    std::optional<std::uint64_t> last;
    net::Control request;
    while (control.take(request) == Verdict::Ready) {
      if (request.type != net::Control::Type::SetOffloads) continue;
      last = request.value;
      control.put({.id = request.id});
    }
    (void)control.publish();
    return last;
  }

  test::SessionParts parts;
  Mapping region;
  BackRing<net::Control, net::Controlled> control;
  std::deque<BackRing<net::Transmit, net::Transmitted>> transmit;
  std::deque<BackRing<net::Buffer, net::Received>> receive;
  net::Info info;
};

class VirtioNetTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint16_t kPairs = 2;
  static constexpr std::uint16_t kSize = 64;
  static constexpr std::size_t kBytes = 2U << 20;
  static constexpr std::size_t kData = 1U << 20;  // buffers, behind the rings

  VirtioNetTest() {
    EXPECT_EQ(device_.memory().add({kGuest, kBytes, kUser, 0}, file_.fd()), Status::Ok);
    for (std::uint16_t i = 0; i < 2 * kPairs; ++i) {
      rings_.emplace_back(file_.at(ring_offset(i)), kGuest + ring_offset(i),
                          GuestRing::Shape{kSize, GetParam(), true});
    }
    reach_switch();
    device_.accept(kModern);
    start_queues();
  }
  static std::size_t ring_offset(std::uint16_t queue) { return queue * GuestRing::bytes(kSize); }

  void reach_switch(std::uint32_t offloads = net::Offload::kAll) {
    switch_.emplace(device_.geometry(), offloads);
    ASSERT_EQ(device_.connect(test::open_client(switch_->parts, switch_->info)), Status::Ok);
  }
  void start_queue(std::uint16_t queue, std::uint32_t base) {
    const QueueSetup setup = rings_[queue].setup(kUser + ring_offset(queue));
    ASSERT_EQ(device_.start_queue(queue, setup, base, {}, false), Status::Ok);
    device_.queue(queue).enable(queue < 2);  // as a guest that uses one pair
  }
  void start_queues() {
    const std::uint32_t base = GetParam() ? 0x80008000U : 0;
    for (std::uint16_t i = 0; i < 2 * kPairs; ++i) start_queue(i, base);
  }
  void pass() {
    while (device_.progress()) {
    }
  }

  // Sends header and frame in pieces that end after so many bytes each, the last one with the rest.
  void send(const net::Header& header, const Bytes& frame, const std::vector<std::uint32_t>& cuts,
            bool indirect = false, std::uint32_t header_bytes = kHeader) {
    Bytes all(header_bytes);
    std::memcpy(all.data(), &header, header_bytes);
    all.insert(all.end(), frame.begin(), frame.end());
    send_raw(all, cuts, indirect);
  }
  void send_raw(const Bytes& all, const std::vector<std::uint32_t>& cuts, bool indirect = false) {
    std::memcpy(file_.at(kData), all.data(), all.size());
    std::vector<GuestRing::Buffer> buffers;
    std::uint64_t at = 0;
    for (const std::uint32_t cut : cuts) {
      // A hole between the buffers, so that running past one shows.
      buffers.push_back({kGuest + kData + at, cut, false});
      at += cut;
    }
    buffers.push_back({kGuest + kData + at, static_cast<std::uint32_t>(all.size() - at), false});
    ASSERT_TRUE(rings_[1].add(buffers, indirect));
    (void)rings_[1].publish();
    pass();
  }
  // Buffers for one chain each, one behind the other.
  void post(const std::vector<std::uint32_t>& lengths, std::uint16_t queue = 0) {
    for (const std::uint32_t length : lengths) {
      const GuestRing::Buffer buffer{kGuest + kData + posted_, length, true};
      ASSERT_TRUE(rings_[queue].add(std::span(&buffer, 1)));
      posted_ += length;
    }
    (void)rings_[queue].publish();
    pass();
  }
  // The frame that the guest finds in its next used buffers, which were posted in this order.
  struct Got {
    net::Header header;
    Bytes bytes;
    std::vector<std::uint32_t> lengths;
  };
  std::optional<Got> receive(const std::vector<std::uint32_t>& posted, std::uint64_t from = 0,
                             std::uint16_t queue = 0) {
    Got got{};
    std::uint64_t at = kData + from;
    for (std::size_t i = 0; i < posted.size(); ++i) {
      const auto used = rings_[queue].take();
      if (!used) {
        EXPECT_EQ(i, 0U) << "a frame's buffers come together";
        return {};
      }
      got.lengths.push_back(used->length);
      got.bytes.insert(got.bytes.end(), file_.at(at), file_.at(at) + used->length);
      at += posted[i];
    }
    std::memcpy(&got.header, got.bytes.data(), kHeader);
    got.bytes.erase(got.bytes.begin(), got.bytes.begin() + kHeader);
    return got;
  }

  test::MemoryFile file_{kBytes};
  VirtioNet device_{kPairs, net::kMinSlots};
  std::deque<GuestRing> rings_;
  std::optional<Switch> switch_;
  std::uint64_t posted_ = 0;
};

INSTANTIATE_TEST_SUITE_P(, VirtioNetTest, testing::Bool(),
                         [](const auto& one) { return one.param ? "Packed" : "Split"; });

TEST_P(VirtioNetTest, AHeaderSplitAtEveryByteArrivesWhole) {
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

TEST_P(VirtioNetTest, EighteenTinyBuffersAndEmptyOnesAreOneFrame) {
  const Bytes frame = pattern(60);
  for (const bool indirect : {false, true}) {
    send({}, frame, {1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1}, indirect);
    const auto sent = switch_->take();
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->bytes, frame);
    EXPECT_TRUE(rings_[1].take());
  }
}

TEST_P(VirtioNetTest, FramesOfEveryLengthPassAndImpossibleOnesAreDropped) {
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

TEST_P(VirtioNetTest, BuffersForTheDeviceToWriteAreNoFrame) {
  const GuestRing::Buffer buffer{kGuest + kData, 1500, true};
  ASSERT_TRUE(rings_[1].add(std::span(&buffer, 1)));
  (void)rings_[1].publish();
  pass();
  EXPECT_FALSE(switch_->take());
  EXPECT_TRUE(rings_[1].take());
}

TEST_P(VirtioNetTest, TheShortHeaderOfLegacyDrivers) {
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

TEST_P(VirtioNetTest, AFrameTakesAsManyBuffersAsItNeeds) {
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

TEST_P(VirtioNetTest, A64KiBSegmentReachesAGuestWithSmallBuffers) {
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

TEST_P(VirtioNetTest, AFrameThatFindsOneBufferTooFewWaitsForItAndSleeps) {
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

TEST_P(VirtioNetTest, AFrameThatNoBuffersCanHoldIsDropped) {
  post(std::vector<std::uint32_t>(kSize, 64));
  ASSERT_TRUE(switch_->deliver(pattern(64 * kSize)));
  ASSERT_TRUE(switch_->deliver(pattern(40)));
  pass();
  const auto got = receive({64});
  ASSERT_TRUE(got) << "the next one is delivered";
  EXPECT_EQ(got->bytes, pattern(40));
}

TEST_P(VirtioNetTest, WithoutMergeableBuffersAFrameThatIsTooLongIsDropped) {
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

TEST_P(VirtioNetTest, AReceiveBufferWithoutRoomForAHeaderBreaksItsQueueOnly) {
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

TEST_P(VirtioNetTest, AGuestThatGivesNoBuffersCostsTheSwitchNothingButItsOwn) {
  unsigned delivered = 0;
  for (; delivered < 1000 && switch_->deliver(pattern(60)); ++delivered) pass();
  EXPECT_GE(delivered, net::kMinSlots);
  EXPECT_LE(delivered, net::kMinSlots + 1)
      << "the session's receive ring is full, and nothing else grows";
  EXPECT_FALSE(device_.arm());
}

TEST_P(VirtioNetTest, FramesForAStoppedQueueAreDroppedAndTheRingGoesRound) {
  (void)device_.stop_queue(0);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(switch_->deliver(pattern(60))) << i;
    pass();
  }
}

TEST_P(VirtioNetTest, ASwitchThatAnswersNothingKeepsFramesInTheGuestsRing) {
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

TEST_P(VirtioNetTest, WithoutASessionFramesAreDroppedAndTheNextSessionGoesOn) {
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

TEST_P(VirtioNetTest, ANewSessionIsToldTheOffloadsAgain) {
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

TEST_P(VirtioNetTest, ASwitchThatBreaksTheProtocolIsReportedAndTheGuestGoesOn) {
  switch_->receive[0].put({.length = UINT32_MAX, .header = {}});
  (void)switch_->receive[0].publish();
  pass();
  EXPECT_TRUE(device_.broken());
  EXPECT_FALSE(device_.arm());
  send({}, pattern(60), {});
  EXPECT_TRUE(rings_[1].take());
}

TEST_P(VirtioNetTest, RingsGoRoundManyTimes) {
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

TEST_P(VirtioNetTest, AStoppedQueueContinuesWhereItWas) {
  for (int i = 0; i < 100; ++i) {
    send({}, pattern(60), {20, 20});
    ASSERT_TRUE(switch_->take());
    ASSERT_TRUE(rings_[1].take());
    const std::uint32_t base = device_.stop_queue(1);
    EXPECT_EQ(base, rings_[1].base());
    start_queue(1, base);
  }
}

TEST_P(VirtioNetTest, AWaitingFrameDoesNotMoveTheBaseOfAStoppedQueue) {
  post({512, 512});
  ASSERT_TRUE(switch_->deliver(pattern(1400)));
  pass();
  EXPECT_EQ(device_.stop_queue(0), rings_[0].base());
}

// The front-end cannot know where a ring stands whose back-end died.
TEST_P(VirtioNetTest, ARingOfADeadBackEndTellsWhereToContinue) {
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

TEST_P(VirtioNetTest, AGuestOfOneQueuePairHearsEverythingAndLaterBoth) {
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

TEST_P(VirtioNetTest, InterruptsComeWhenAskedForAndOnlyThen) {
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

TEST_P(VirtioNetTest, OffersWhatTheDriverOfItsFirstSessionTakes) {
  VirtioNet device(1, net::kMinSlots);
  Switch plain(device.geometry(), net::Offload::kChecksum);
  ASSERT_EQ(device.connect(test::open_client(plain.parts, plain.info)), Status::Ok);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_CSUM), 0U);
  EXPECT_EQ(device.features() & bit(VIRTIO_NET_F_HOST_TSO4), 0U);
  EXPECT_NE(device.features() & bit(VIRTIO_NET_F_GUEST_TSO4), 0U) << "the switch can cut";
  EXPECT_EQ(device.features() & bit(VIRTIO_NET_F_MQ), 0U);
  EXPECT_EQ(device.set_mtu(1500), Status::Ok);
  for (const std::uint64_t mtu :
       {std::uint64_t{0}, std::uint64_t{67}, std::uint64_t{1501}, UINT64_MAX}) {
    EXPECT_EQ(device.set_mtu(mtu), Status::Invalid) << mtu;
  }
}

TEST_P(VirtioNetTest, ADescriptionThatMakesNoSenseIsRefused) {
  VirtioNet device(1, net::kMinSlots);
  Switch odd(device.geometry());
  odd.info.mtu = 1;
  EXPECT_EQ(device.connect(test::open_client(odd.parts, odd.info)), Status::Invalid);
  EXPECT_FALSE(device.progress());
}

TEST_P(VirtioNetTest, RingsThatLeaveTheMemoryStopTheirQueues) {
  device_.memory().clear();
  device_.rebind();
  EXPECT_FALSE(device_.queue(0).running());
  EXPECT_FALSE(device_.queue(1).running());
  ASSERT_TRUE(switch_->deliver(pattern(60)));
  pass();
  EXPECT_FALSE(device_.arm());
}

TEST_P(VirtioNetTest, BuffersThatLeaveTheMemoryWhileAFrameWaitsAreNoHarm) {
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
