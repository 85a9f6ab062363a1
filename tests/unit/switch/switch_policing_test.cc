// SPDX-License-Identifier: Apache-2.0
// What a port may not do, and that it costs nobody else.
#include <gtest/gtest.h>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

TEST(SwitchPolicing, AForgedSourceAddressIsDroppedAndCounted) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(4);
  EXPECT_EQ(one->send(small_frame(2, 9)), net::Verdict::Forbidden);
  EXPECT_EQ(one->send(small_frame(kBroadcast, 2)), net::Verdict::Forbidden);
  EXPECT_TRUE(two->silent());
  EXPECT_EQ(program.drops(0, Drop::Spoofed), 2U);
  EXPECT_EQ(one->send(small_frame(2, 1)), net::Verdict::Taken);
  (void)two->receive();
}

TEST(SwitchPolicing, AForgedArpAnswer) {
  SwitchProcess program({port(1, ",ipv4=10.0.0.1"), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(4);
  EXPECT_EQ(one->send(arp(1, 2, 9)), net::Verdict::Forbidden);
  EXPECT_TRUE(two->silent());
  EXPECT_EQ(program.drops(0, Drop::Guarded), 1U);
  EXPECT_EQ(one->send(arp(1, 1, 9)), net::Verdict::Taken);
  EXPECT_EQ(two->receive().bytes, arp(1, 1, 9));
}

TEST(SwitchPolicing, IsolatedPortsDoNotReachEachOther) {
  SwitchProcess program({port(1, ",isolated"), port(2), port(3, ",isolated,spoofing")});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  one->post(4);
  two->post(4);
  three->post(4);
  EXPECT_EQ(one->send(small_frame(2, 1)), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(3, 1)), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(kBroadcast, 1)), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(9, 1)), net::Verdict::Taken);
  EXPECT_EQ(two->send(small_frame(1, 2)), net::Verdict::Taken);
  EXPECT_TRUE(one->silent() && two->silent() && three->silent());
  EXPECT_EQ(program.drops(0, Drop::Isolated), 2U);
  EXPECT_EQ(program.drops(1, Drop::Isolated), 1U);
}

TEST(SwitchPolicing, FramesPerSecond) {
  // A bucket holds a tenth of a second's worth: ten frames at first, then one each 10 ms.
  SwitchProcess program({port(1, ",pps=100"), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(64);
  int taken = 0;
  for (int i = 0; i < 64; ++i) one->put(small_frame(2, 1), {}, 0, 0);
  one->publish(one->transmit());
  for (int i = 0; i < 64; ++i) taken += one->verdict() == net::Verdict::Taken ? 1 : 0;
  EXPECT_GE(taken, 10);
  EXPECT_LT(taken, 64);
  EXPECT_EQ(program.drops(0, Drop::Limited), 64U - static_cast<unsigned>(taken));
  EXPECT_EQ(program.stats(1).net.received_frames, static_cast<unsigned>(taken));
}

TEST(SwitchPolicing, ASegmentCountsAsWhatItIsOnAWire) {
  SwitchProcess program({port(1, ",pps=10"), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  const Partial segment = tcp({}, noise(60'000), 1448);  // 42 frames: four seconds' worth
  EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(2, 1)), net::Verdict::Limited);
}

TEST(SwitchPolicing, BytesPerSecond) {
  SwitchProcess program({port(1, ",bps=10000"), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  const Partial segment = tcp({}, noise(60'000), 1448);
  EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(2, 1)), net::Verdict::Limited);
  EXPECT_EQ(program.drops(0, Drop::Limited), 1U);
}

TEST(SwitchPolicing, AStormOfBroadcastsIsBoundedAndUnicastPasses) {
  SwitchProcess program({port(1, ",storm=10"), port(2), port(3)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  two->post(64);
  three->post(64);
  int taken = 0;
  for (int i = 0; i < 32; ++i) one->put(small_frame(kBroadcast, 1), {}, 0, 0);
  one->publish(one->transmit());
  for (int i = 0; i < 32; ++i) {
    const net::Verdict verdict = one->verdict();
    EXPECT_TRUE(verdict == net::Verdict::Taken || verdict == net::Verdict::Limited);
    taken += verdict == net::Verdict::Taken ? 1 : 0;
  }
  EXPECT_GE(taken, 1);
  EXPECT_LT(taken, 32);
  EXPECT_EQ(program.drops(0, Drop::Storm), 32U - static_cast<unsigned>(taken));
  EXPECT_EQ(program.stats(2).net.received_frames, static_cast<unsigned>(taken));
  EXPECT_EQ(one->send(small_frame(3, 1)), net::Verdict::Taken);
  EXPECT_EQ(program.stats(2).net.received_frames, static_cast<unsigned>(taken) + 1);
}

// One that a receiver without offloads gets as fourteen frames counts as fourteen.
TEST(SwitchPolicing, AStormOfSegmentsIsBoundedByWhatReceiversGet) {
  SwitchProcess program({port(1, ",storm=10"), port(2), port(3)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  Partial segment = tcp({}, noise(14'000), 1000);
  const Bytes everybody = small_frame(kBroadcast, 1);
  std::copy_n(everybody.begin(), 6, segment.frame.begin());
  EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
  EXPECT_EQ(one->send(small_frame(kBroadcast, 1)), net::Verdict::Limited);
}

TEST(SwitchPolicing, AStormOfUnknownAddressesIsBounded) {
  SwitchProcess program({port(1, ",storm=10"), port(2, ",spoofing"), port(3, ",spoofing")});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  for (int i = 0; i < 32; ++i) one->put(small_frame(0x99, 1), {}, 0, 0);
  one->publish(one->transmit());
  for (int i = 0; i < 32; ++i) (void)one->verdict();
  EXPECT_GT(program.drops(0, Drop::Storm), 0U);
}

}  // namespace
}  // namespace cede::test
