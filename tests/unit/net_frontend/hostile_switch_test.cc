// SPDX-License-Identifier: Apache-2.0
// A driver that lies: the device breaks, and nothing else does.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/unit/net_frontend/scripted_port.h"

namespace cede::frontend {
namespace {

using net::Controlled;
using net::Received;

void expect_broken(ScriptedPort& port) {
  Frame frame;
  EXPECT_FALSE(port.device->receive(0, frame));
  EXPECT_TRUE(port.device->broken());
  // For good, and without further harm.
  EXPECT_FALSE(port.device->receive(0, frame));
  EXPECT_TRUE(port.device->reserve(0, 60).empty());
  port.device->release(0);
  port.device->send(0, 60, {});
  port.device->publish();
  EXPECT_FALSE(port.device->arm(true));
  const Session session = std::move(*port.device).detach();
  EXPECT_EQ(session.region.size(), port.parts.geometry.bytes());
}

TEST(HostileSwitch, InfoThatMakesNoSenseIsRefused) {
  net::Info info = port_info();
  info.mtu = 67;
  EXPECT_EQ(ScriptedPort(info).device.status(), Status::Invalid);
  info = port_info();
  info.mac.bytes[0] = 1;
  EXPECT_EQ(ScriptedPort(info).device.status(), Status::Invalid);
}

TEST(HostileSwitch, GeometryThatCannotCarryAPortIsRefused) {
  const Geometry good = net::port_geometry(1, 64);
  for (const auto change :
       {+[](Geometry& g) { g.rings = 4; }, +[](Geometry& g) { g.rings = 1; },
        +[](Geometry& g) { g.slot_bytes = 16; }, +[](Geometry& g) { g.slots = 32; },
        +[](Geometry& g) { g.pages = 32; }, +[](Geometry& g) { g.slots = 128; }}) {
    Geometry geometry = good;
    change(geometry);
    ASSERT_TRUE(geometry.valid());
    test::SessionParts parts = test::make_session_parts(geometry);
    const auto device = NetDevice::attach(test::open_client(parts, port_info()));
    EXPECT_EQ(device.status(), Status::Invalid);
  }
}

struct BadAnswer {
  const char* name;
  Received answer;
};

class HostileAnswer : public testing::TestWithParam<BadAnswer> {};

TEST_P(HostileAnswer, BreaksTheDevice) {
  ScriptedPort port;
  port.answer_buffer(GetParam().answer);
  (void)port.receive.publish();
  expect_broken(port);
}

constexpr net::Header with(void (*change)(net::Header&)) {
  net::Header header = in_parts(1);
  change(header);
  return header;
}

INSTANTIATE_TEST_SUITE_P(
    HostileSwitch, HostileAnswer,
    testing::Values(
        BadAnswer{"NoParts", {.length = 60, .header = in_parts(0)}},
        BadAnswer{"TooManyParts", {.length = 60, .header = in_parts(net::kMaxParts + 1)}},
        BadAnswer{"MaximalParts", {.length = 60, .header = in_parts(0xffff)}},
        BadAnswer{"PartsThatDoNotCome", {.length = 60, .header = in_parts(2)}},
        BadAnswer{"Empty", {.length = 0, .header = in_parts(1)}},
        BadAnswer{"Runt", {.length = 13, .header = in_parts(1)}},
        BadAnswer{"LongerThanTheBuffer", {.length = net::kBufferBytes + 1, .header = in_parts(1)}},
        BadAnswer{"MaximalLength", {.length = 0xffffffff, .header = in_parts(1)}},
        BadAnswer{"UnknownFlag",
                  {.length = 60, .header = with([](net::Header& h) { h.flags = 0x80; })}},
        BadAnswer{"UnknownSegmentation",
                  {.length = 60, .header = with([](net::Header& h) { h.gso_type = 3; })}},
        BadAnswer{"ChecksumBehindTheFrame", {.length = 60, .header = with([](net::Header& h) {
                                                             h.flags = 1;
                                                             h.csum_start = 50;
                                                             h.csum_offset = 9;
                                                           })}},
        BadAnswer{"HeaderLongerThanTheFrame",
                  {.length = 60, .header = with([](net::Header& h) { h.hdr_len = 61; })}}),
    [](const auto& answer) { return std::string(answer.param.name); });

TEST(HostileSwitch, AFrameLongerThanAnyBreaksTheDevice) {
  ScriptedPort port;
  for (int i = 0; i < 33; ++i) {
    port.answer_buffer(
        {.length = net::kBufferBytes, .header = i == 0 ? in_parts(33) : net::Header{}});
  }
  (void)port.receive.publish();
  expect_broken(port);
}

TEST(HostileSwitch, AnEmptyLaterPartBreaksTheDevice) {
  ScriptedPort port;
  port.answer_buffer({.length = net::kBufferBytes, .header = in_parts(2)});
  port.answer_buffer({.length = 0, .header = {}});
  (void)port.receive.publish();
  expect_broken(port);
}

// kMaxParts buffers of one byte each are no protocol error: a frame all the same.
TEST(HostileSwitch, TheMostPartsOfTheLeastLengthAreAFrame) {
  ScriptedPort port(port_info(), net::port_geometry(1, 128));
  for (std::uint32_t i = 0; i < net::kMaxParts; ++i) {
    port.answer_buffer({.length = 1, .header = i == 0 ? in_parts(net::kMaxParts) : net::Header{}});
  }
  (void)port.receive.publish();
  Frame frame;
  ASSERT_TRUE(port.device->receive(0, frame));
  EXPECT_EQ(frame.part_count, net::kMaxParts);
  EXPECT_EQ(frame.length, net::kMaxParts);
}

TEST(HostileSwitch, AnUnknownVerdictBreaksTheDevice) {
  ScriptedPort port;
  ASSERT_TRUE(send(*port.device, pattern(60)));
  port.device->publish();
  ASSERT_TRUE(port.take());
  port.answer(static_cast<net::Verdict>(4));
  port.device->publish();
  expect_broken(port);
}

// The rings' producers, written behind BackRing's back.
void announce(ScriptedPort& port, std::uint16_t ring, std::uint32_t producer) {
  SharedIndex(port.ring(ring) + RingShape::kBackLine).store(producer, std::memory_order_release);
}

TEST(HostileSwitch, AnswersToFramesNeverSentBreakTheDevice) {
  ScriptedPort port;
  announce(port, net::transmit_ring(0), 1);
  port.device->publish();
  expect_broken(port);
}

TEST(HostileSwitch, AnswersToBuffersNeverPostedBreakTheDevice) {
  ScriptedPort port;
  announce(port, net::receive_ring(0), ScriptedPort::kSlots + 1);
  expect_broken(port);
}

TEST(HostileSwitch, ControlAnswersNeverAskedForBreakTheDevice) {
  ScriptedPort port;
  announce(port, net::kControlRing, 2);
  expect_broken(port);
}

TEST(HostileSwitch, AProducerThatGoesBackBreaksTheDevice) {
  ScriptedPort port;
  ASSERT_TRUE(port.deliver(pattern(60)));
  Frame frame;
  ASSERT_TRUE(port.device->receive(0, frame));
  announce(port, net::receive_ring(0), 0);
  expect_broken(port);
}

class HostileControl : public testing::TestWithParam<Controlled> {};

TEST_P(HostileControl, BreaksTheDevice) {
  ScriptedPort port;
  ASSERT_EQ(port.take_control().size(), 1U);
  port.answer_control(GetParam());
  expect_broken(port);
}

INSTANTIATE_TEST_SUITE_P(
    HostileSwitch, HostileControl,
    testing::Values(
        Controlled{.id = 0, .value = 0},  // no SetOffloads is in flight
        Controlled{.id = 2, .value = 0}, Controlled{.id = 0xffffffff, .value = 0},
        Controlled{.id = 1, .status = 3},
        Controlled{.id = 1, .value = net::LinkState{true, 1500}.value()},  // nothing new
        Controlled{.id = 1, .value = net::LinkState{true, 67}.value()},
        Controlled{.id = 1, .value = net::LinkState{true, 65522}.value()},
        Controlled{.id = 1, .value = 1ULL << 33 | net::LinkState{false, 1500}.value()}));

// The answer is copied before it is judged: whatever the driver writes meanwhile, a frame that
// comes out is sane, and the spans stay inside the region.
TEST(HostileSwitch, AHeaderFlippedMeanwhileIsSaneOrBroken) {
  for (int round = 0; round < 200; ++round) {
    ScriptedPort port;
    ASSERT_TRUE(port.deliver(pattern(60)));
    std::byte* const slot = port.ring(net::receive_ring(0)) + RingShape::kSlots;
    std::atomic<bool> stop = false;
    std::thread flipper([&] {
      for (std::uint64_t value = 0; !stop; value += 0x0123456789abcdefULL) {
        const std::uint64_t word = value % 3 == 0 ? 60 : value;
        std::atomic_ref(*reinterpret_cast<std::uint64_t*>(slot)).store(word);
        std::atomic_ref(*reinterpret_cast<std::uint64_t*>(slot + 8)).store(value % 5 << 48);
      }
    });
    Frame frame;
    if (port.device->receive(0, frame)) {
      EXPECT_TRUE(net::consistent(frame.header, frame.length, 0));
      EXPECT_EQ(join(frame).size(), frame.length);
    } else {
      EXPECT_TRUE(port.device->broken() || port.device->unfit() == 1);
    }
    stop = true;
    flipper.join();
  }
}

}  // namespace
}  // namespace cede::frontend
