// SPDX-License-Identifier: Apache-2.0
// The control ring, a session's end, and rest.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

using net::Controlled;
using net::LinkState;
using net::Offload;
using Type = net::Control::Type;

TEST(SwitchControl, OffloadsAreTakenFromWhenTheyAreAnswered) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(8);
  const Partial datagram = udp({}, noise(100));
  const auto next = [&] {
    EXPECT_EQ(one->send(datagram.frame, datagram.header), net::Verdict::Taken);
    return two->receive();
  };
  EXPECT_EQ(next().header.flags, 0);
  EXPECT_EQ(two->ask(Type::SetOffloads, Offload::kChecksum).status, Controlled::kOk);
  EXPECT_EQ(next().header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
  EXPECT_EQ(two->ask(Type::SetOffloads, 0).status, Controlled::kOk);
  const ReceivedFrame plain = next();
  EXPECT_EQ(plain.header.flags, 0);
  EXPECT_TRUE(checksums_hold(plain.bytes));
}

TEST(SwitchControl, OffloadsThatMakeNoSenseAreRefused) {
  SwitchProcess program({port(1)});
  auto one = program.connect(0);
  EXPECT_EQ(one->ask(Type::SetOffloads, Offload::kAll + 1).status, Controlled::kRefused);
  EXPECT_EQ(one->ask(Type::SetOffloads, UINT64_MAX).status, Controlled::kRefused);
  EXPECT_EQ(one->ask(Type::SetOffloads, Offload::kTso4).status, Controlled::kRefused);
  EXPECT_EQ(one->ask(Type::SetOffloads, Offload::kAll).status, Controlled::kOk);
}

TEST(SwitchControl, WhoClaimsAValidChecksumIsNotBelieved) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(1);
  two->ask(Type::SetOffloads, Offload::kAll);
  net::Header header{};
  header.flags = VIRTIO_NET_HDR_F_DATA_VALID;
  EXPECT_EQ(one->send(small_frame(2, 1), header), net::Verdict::Taken);
  EXPECT_EQ(two->receive().header.flags, 0);
}

TEST(SwitchControl, UnknownTypes) {
  SwitchProcess program({port(1)});
  auto one = program.connect(0);
  const Controlled answer = one->ask(static_cast<Type>(99), 1, 7);
  EXPECT_EQ(answer.status, Controlled::kUnsupported);
  EXPECT_EQ(answer.id, 7U);
}

TEST(SwitchControl, TheLinkIsToldWhenItDiffers) {
  SwitchProcess program({port(1)});
  auto one = program.connect(0);
  const std::uint64_t up = LinkState{.up = true, .mtu = 1500}.value();
  for (const LinkState known : {LinkState{true, 1400}, LinkState{false, 1500}}) {
    const Controlled answer = one->ask(Type::AwaitLink, known.value(), 3);
    EXPECT_EQ(answer.status, Controlled::kOk);
    EXPECT_EQ(answer.value, up);
    EXPECT_EQ(answer.id, 3U);
  }
  // One that waits; a second is one too many.
  one->control().put({.type = Type::AwaitLink, .reserved = 0, .id = 1, .value = up});
  const Controlled second = one->ask(Type::AwaitLink, up, 2);
  EXPECT_EQ(second.id, 2U);
  EXPECT_EQ(second.status, Controlled::kRefused);
  // It is no obstacle to closing.
  program.close(one.session);
  EXPECT_EQ(program.hang_up(), 0);
}

TEST(SwitchControl, AFullControlRingOfAwaits) {
  SwitchProcess program({port(1)});
  auto one = program.connect(0);
  const std::uint64_t up = LinkState{.up = true, .mtu = 1500}.value();
  for (std::uint32_t id = 0; id < 64; ++id) {
    one->control().put({.type = Type::AwaitLink, .reserved = 0, .id = id, .value = up});
  }
  one->publish(one->control());
  for (int i = 0; i < 63; ++i) EXPECT_EQ(one->controlled().status, Controlled::kRefused);
}

TEST(SwitchControl, SessionsComeAndGo) {
  SwitchProcess program({port(1), port(2)});
  auto two = program.connect(1);
  { program.close(program.connect(0).session); }
  const std::size_t descriptors = program.descriptors();
  for (int i = 0; i < 50; ++i) {
    auto one = program.connect(0);
    two->post(1);
    ASSERT_EQ(one->send(small_frame(2, 1)), net::Verdict::Taken);
    (void)two->receive();
    program.close(one.session);
  }
  EXPECT_EQ(program.descriptors(), descriptors);
  EXPECT_EQ(program.hang_up(), 0);
}

TEST(SwitchControl, OnePortOneSession) {
  SwitchProcess program({port(1)});
  auto one = program.connect(0);
  SessionParts parts = make_session_parts(kPort);
  const Handle second = program.new_session();
  program.offer(second, 0, parts);
  EXPECT_EQ(program.expect(MessageType::Refuse, second).status, Status::Busy);
  program.offer(second, 5, parts);
  EXPECT_EQ(program.expect(MessageType::Refuse, second).status, Status::NotSupported);
}

TEST(SwitchControl, RingsOfAnotherShapeAreRefused) {
  SwitchProcess program({port(1)});
  for (const Geometry& geometry :
       {Geometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 32},
        Geometry{.pages = 64, .rings = 2, .slot_bytes = 32, .slots = 32},
        Geometry{.pages = 64, .rings = 3, .slot_bytes = 64, .slots = 32},
        Geometry{.pages = 64, .rings = 3, .slot_bytes = 8, .slots = 32}}) {
    SessionParts parts = make_session_parts(geometry);
    const Handle session = program.new_session();
    program.offer(session, 0, parts);
    EXPECT_EQ(program.expect(MessageType::Refuse, session).status, Status::Invalid);
  }
}

TEST(SwitchControl, AnIdleSwitchSleeps) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(32);
  one->send(small_frame(2, 1));
  (void)two->receive();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::uint64_t before = program.cpu_nanoseconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(program.cpu_nanoseconds(), before);
  // New buffers alone are no reason to wake up.
  two->post(16);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(program.cpu_nanoseconds(), before);
}

}  // namespace
}  // namespace cede::test
