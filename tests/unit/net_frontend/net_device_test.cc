// SPDX-License-Identifier: Apache-2.0
// The library against an honest switch.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "tests/unit/net_frontend/scripted_port.h"

namespace cede::frontend {
namespace {

TEST(NetDevice, PostsEveryReceiveBufferAtAttach) {
  ScriptedPort port;
  ASSERT_TRUE(port.device);
  EXPECT_EQ(port.kicks(), 1U);
  std::uint64_t expected = 0;
  net::Buffer buffer;
  for (std::uint32_t i = 0; i < ScriptedPort::kSlots; ++i) {
    ASSERT_EQ(port.receive.take(buffer), Verdict::Ready);
    EXPECT_EQ(buffer.length, net::kBufferBytes);
    EXPECT_TRUE(port.parts.geometry.holds(buffer.offset, buffer.length));
    if (i != 0) {
      EXPECT_EQ(buffer.offset, expected);
    }
    expected = buffer.offset + net::kBufferBytes;
  }
  EXPECT_EQ(port.receive.take(buffer), Verdict::Empty);
}

TEST(NetDevice, SendsWhatWasWrittenIntoItsRoom) {
  ScriptedPort port;
  const auto frame = pattern(1514);
  const net::Header header = tso4_header();
  ASSERT_TRUE(send(*port.device, frame, header));
  EXPECT_FALSE(port.take());  // not published yet
  port.device->publish();
  const auto sent = port.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->bytes, frame);
  EXPECT_EQ(std::memcmp(&sent->request.header, &header, sizeof header), 0);
  EXPECT_TRUE(port.parts.geometry.holds(sent->request.offset, sent->request.length));
  EXPECT_EQ(port.device->in_flight(0), 1U);
  port.answer();
  port.device->publish();
  EXPECT_EQ(port.device->in_flight(0), 0U);
  EXPECT_EQ(port.device->refused(), 0U);
}

TEST(NetDevice, SendsAFrameShorterThanItsRoom) {
  ScriptedPort port;
  ASSERT_EQ(port.device->reserve(0, net::kMaxFrame).size(), net::kMaxFrame);
  port.device->send(0, 60, {});
  ASSERT_EQ(port.device->reserve(0, net::kMaxFrame).size(), net::kMaxFrame);
  port.device->publish();
  EXPECT_EQ(port.take()->request.length, 60U);
}

TEST(NetDevice, SendsNothingWithoutRoom) {
  ScriptedPort port;
  port.device->send(0, 60, {});
  ASSERT_FALSE(port.device->reserve(0, 60).empty());
  port.device->send(0, 61, {});
  port.device->send(7, 60, {});
  port.device->publish();
  EXPECT_FALSE(port.take());
  EXPECT_TRUE(port.device->reserve(0, 0).empty());
  EXPECT_TRUE(port.device->reserve(0, net::kMaxFrame + 1).empty());
  EXPECT_TRUE(port.device->reserve(1, 60).empty());
}

TEST(NetDevice, CountsWhatTheDriverRefuses) {
  ScriptedPort port;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  while (port.take()) {
  }
  port.answer(net::Verdict::Taken);
  port.answer(net::Verdict::Malformed);
  port.answer(net::Verdict::Forbidden);
  port.answer(net::Verdict::Limited);
  port.device->publish();
  EXPECT_EQ(port.device->refused(), 3U);
  EXPECT_FALSE(port.device->broken());
}

TEST(NetDevice, FillsTheTransmitRingAndGoesOnAfterAnAnswer) {
  ScriptedPort port;
  for (std::uint32_t i = 0; i < ScriptedPort::kSlots; ++i) {
    ASSERT_TRUE(send(*port.device, pattern(1514, i)));
  }
  EXPECT_FALSE(send(*port.device, pattern(60)));
  port.device->publish();
  EXPECT_TRUE(port.device->arm(true));
  for (std::uint32_t i = 0; i < ScriptedPort::kSlots; ++i) {
    const auto sent = port.take();
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->bytes, pattern(1514, i));
  }
  port.answer();
  EXPECT_FALSE(port.device->arm(true));
  EXPECT_TRUE(send(*port.device, pattern(60)));
  EXPECT_FALSE(send(*port.device, pattern(60)));
}

// Fills the transmit ring of `pair`.
void fill(ScriptedPort& port, std::uint16_t pair) {
  while (send(*port.device, pattern(60), {}, pair)) {
  }
  port.device->publish();
}

TEST(NetDevice, SleepsForOnePairsRoomThoughAnotherHasSome) {
  const Geometry geometry = net::port_geometry(2, 64);
  ScriptedPort port(port_info(), geometry);
  BackRing<net::Transmit, net::Transmitted> second(port.ring(net::transmit_ring(1)),
                                                   geometry.ring_shape());
  ASSERT_TRUE(send(*port.device, pattern(60), {}, 1));
  port.device->publish();
  net::Transmit request;
  ASSERT_EQ(second.take(request), Verdict::Ready);
  second.put({});
  (void)second.publish();
  port.device->publish();
  fill(port, 0);
  EXPECT_TRUE(port.device->arm(true));
  ASSERT_TRUE(port.take());
  port.answer();
  EXPECT_FALSE(port.device->arm(true));
}

// A guest may stop a queue whose next frame found no room.
TEST(NetDevice, SleepsThoughRoomCameThatNobodyWantsAnyMore) {
  ScriptedPort port(port_info(), net::port_geometry(2, 64));
  fill(port, 0);
  ASSERT_TRUE(port.device->arm(true));
  ASSERT_TRUE(port.take());
  port.answer();
  port.device->publish();
  fill(port, 1);
  EXPECT_FALSE(port.device->arm(true)) << "told once";
  fill(port, 1);
  EXPECT_TRUE(port.device->arm(true));
}

TEST(NetDevice, HoldsThirtySegmentsEachWayByDefault) {
  ScriptedPort port(port_info(), net::port_geometry(1, net::kSlots));
  const auto segment = pattern(65226);  // 45 full payloads of an MTU of 1500, and the headers
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(send(*port.device, segment, tso4_header())) << i;
    ASSERT_TRUE(port.deliver(segment)) << i;
  }
}

TEST(NetDevice, ReceivesAFrameOfManyBuffersAsOnePart) {
  ScriptedPort port;
  port.device->set_offloads(net::Offload::kAll);
  const auto frame = pattern(net::kMaxFrame);
  const net::Header header = tso4_header();
  ASSERT_TRUE(port.deliver(frame, header));
  Frame received;
  ASSERT_TRUE(port.device->receive(0, received));
  EXPECT_EQ(received.length, frame.size());
  EXPECT_EQ(received.part_count, 1U);
  EXPECT_EQ(received.header.num_buffers, 33U);
  EXPECT_EQ(received.header.gso_size, header.gso_size);
  EXPECT_EQ(join(received), frame);
  EXPECT_FALSE(port.device->receive(0, received));
  EXPECT_FALSE(port.device->broken());
}

TEST(NetDevice, ReceivesAFrameInTwoPartsWhereTheRingBeginsAnew) {
  ScriptedPort port;
  Frame received;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(port.deliver(pattern(30 * net::kBufferBytes - 1000)));
    ASSERT_TRUE(port.device->receive(0, received));
    EXPECT_EQ(received.part_count, 1U);
    port.device->release(0);
  }
  port.device->publish();
  const auto last = pattern(6 * net::kBufferBytes + 7);
  ASSERT_TRUE(port.deliver(last));
  ASSERT_TRUE(port.device->receive(0, received));
  EXPECT_EQ(received.part_count, 2U);
  EXPECT_EQ(join(received), last);
}

TEST(NetDevice, KeepsBuffersUntilReleaseAndGivesThemBackInOrder) {
  ScriptedPort port;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(port.deliver(pattern(3 * net::kBufferBytes)));
  EXPECT_FALSE(port.deliver(pattern(5 * net::kBufferBytes)));  // takes the last four
  Frame frame;
  ASSERT_TRUE(port.device->receive(0, frame));
  net::Buffer buffer;
  port.device->publish();
  EXPECT_EQ(port.receive.take(buffer), Verdict::Empty);
  port.device->release(0);
  EXPECT_EQ(port.receive.take(buffer), Verdict::Empty);
  port.device->publish();
  for (std::uint32_t i = 0; i < 3; ++i) {
    ASSERT_EQ(port.receive.take(buffer), Verdict::Ready);
    EXPECT_EQ(frame.parts[0].data() + i * net::kBufferBytes,
              port.device->session().region.data() + buffer.offset);
  }
  EXPECT_EQ(port.receive.take(buffer), Verdict::Empty);
}

// More frames than 2^16, several at a time, of all lengths, in both directions.
TEST(NetDevice, CarriesFramesOfAllLengthsThroughManyWraps) {
  ScriptedPort port;
  unsigned next_sent = 0;
  unsigned next_taken = 0;
  const auto length = [](unsigned n) { return net::kMinFrame + n * 7919 % 20'000; };
  Frame frame;
  for (unsigned round = 0; round < 70'000; ++round) {
    while (next_sent - next_taken < 5 &&
           send(*port.device, pattern(length(next_sent), next_sent))) {
      ++next_sent;
    }
    port.device->publish();
    const auto sent = port.take();
    ASSERT_TRUE(sent);
    ASSERT_EQ(sent->bytes, pattern(length(next_taken), next_taken));
    ASSERT_TRUE(port.deliver(sent->bytes));
    port.answer();
    ASSERT_TRUE(port.device->receive(0, frame));
    ASSERT_EQ(join(frame), sent->bytes);
    port.device->release(0);
    ++next_taken;
  }
  EXPECT_FALSE(port.device->broken());
}

TEST(NetDevice, SleepsOnlyWhenThereIsNothingAndIsRungThen) {
  ScriptedPort port;
  port.device->publish();
  pollfd waiting{port.device->wait_fd(), POLLIN, 0};
  ASSERT_TRUE(port.device->arm(false));
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  net::Buffer buffer;
  ASSERT_EQ(port.receive.take(buffer), Verdict::Ready);
  port.receive.put({.length = 60, .header = in_parts(1)});
  EXPECT_TRUE(port.receive.publish());  // asked to ring
  EXPECT_FALSE(port.device->arm(false));
}

TEST(NetDevice, IsNotWokenForRoomThatItDoesNotWait) {
  ScriptedPort port;
  ASSERT_TRUE(send(*port.device, pattern(60)));
  ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  ASSERT_TRUE(port.take());
  port.transmit.put({});
  (void)port.transmit.publish();  // a fresh ring rings for its first answer
  port.device->publish();
  ASSERT_TRUE(port.device->arm(false));
  ASSERT_TRUE(port.take());
  port.transmit.put({});
  EXPECT_FALSE(port.transmit.publish());
}

TEST(NetDevice, KicksOnlyADriverThatSleeps) {
  ScriptedPort port;
  EXPECT_EQ(port.kicks(), 1U);
  ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  EXPECT_EQ(port.kicks(), 1U);
  ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  EXPECT_EQ(port.kicks(), 0U);
  ASSERT_TRUE(port.take());
  ASSERT_TRUE(port.take());
  ASSERT_EQ(port.transmit.arm(), Verdict::Empty);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  EXPECT_EQ(port.kicks(), 1U);
}

TEST(NetDevice, KeepsQueuePairsApart) {
  const Geometry geometry = net::port_geometry(3, 64);
  ScriptedPort port(port_info(), geometry);
  ASSERT_TRUE(port.device);
  EXPECT_EQ(port.device->pairs(), 3U);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> extents;
  for (std::uint16_t pair = 0; pair < 3; ++pair) {
    BackRing<net::Transmit, net::Transmitted> transmit(port.ring(net::transmit_ring(pair)),
                                                       geometry.ring_shape());
    BackRing<net::Buffer, net::Received> receive(port.ring(net::receive_ring(pair)),
                                                 geometry.ring_shape());
    ASSERT_TRUE(send(*port.device, pattern(net::kMaxFrame, pair), {}, pair));
    port.device->publish();
    net::Transmit request;
    ASSERT_EQ(transmit.take(request), Verdict::Ready);
    extents.emplace_back(request.offset, request.length);
    net::Buffer buffer;
    while (receive.take(buffer) == Verdict::Ready) {
      extents.emplace_back(buffer.offset, buffer.length);
    }
  }
  std::sort(extents.begin(), extents.end());
  for (std::size_t i = 1; i < extents.size(); ++i) {
    EXPECT_GE(extents[i].first, extents[i - 1].first + extents[i - 1].second);
  }
  EXPECT_EQ(extents.size(), 3U * 65);
}

TEST(NetDevice, GivesTheSessionBack) {
  ScriptedPort port;
  const Session session = std::move(*port.device).detach();
  EXPECT_EQ(session.handle, (Handle{1, 1}));
  EXPECT_EQ(session.region.size(), port.parts.geometry.bytes());
}

}  // namespace
}  // namespace cede::frontend
