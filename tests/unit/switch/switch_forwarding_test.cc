// SPDX-License-Identifier: Apache-2.0
// Who gets a frame, and in what form.
#include <gtest/gtest.h>

#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

using net::Offload;
using Type = net::Control::Type;

constexpr Geometry kLarge{
    .pages = 1024, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 128};

TEST(SwitchForwarding, WhatThePortIs) {
  SwitchProcess program({port(1, ",mtu=9000")});
  auto one = program.connect(0);
  EXPECT_TRUE(one.info.valid());
  EXPECT_EQ(one.info.mac, (net::MacAddress{{0x52, 0x54, 0, 0, 0, 1}}));
  EXPECT_EQ(one.info.mtu, 9000);
  EXPECT_EQ(one.info.offloads, Offload::kAll);
  EXPECT_EQ(one.info.link_up, 1U);
  EXPECT_EQ(program.hang_up(), 0) << program.log();
}

TEST(SwitchForwarding, FramesBetweenTwoSessions) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  one->post(8);
  two->post(8);
  const Bytes there = small_frame(2, 1);
  EXPECT_EQ(one->send(there), net::Verdict::Taken);
  const ReceivedFrame got = two->receive();
  EXPECT_EQ(got.bytes, there);
  EXPECT_EQ(got.header.num_buffers, 1);
  EXPECT_EQ(got.header.flags, 0);
  const Bytes back = ethernet(1, 2, 0x88B5, noise(1500));
  EXPECT_EQ(two->send(back), net::Verdict::Taken);
  EXPECT_EQ(one->receive().bytes, back);
  EXPECT_EQ(program.stats(0).net.sent_frames, 1U);
  EXPECT_EQ(program.stats(0).net.sent_bytes, there.size());
  EXPECT_EQ(program.stats(0).net.received_bytes, back.size());
  EXPECT_EQ(program.stats(1).net.received_frames, 1U);
  program.close(one.session);
  program.close(two.session);
  EXPECT_EQ(program.hang_up(), 0) << program.log();
}

TEST(SwitchForwarding, AFrameForOneIsSeenByNobodyElse) {
  SwitchProcess program({port(1), port(2), port(3)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  two->post(4);
  three->post(4);
  one->send(small_frame(2, 1));
  (void)two->receive();
  one->send(small_frame(9, 1));  // nobody's address; nobody here may have it
  one->send(small_frame(1, 1));  // its own
  one->send(small_frame(kBroadcast, 1));
  EXPECT_EQ(three->receive().bytes, small_frame(kBroadcast, 1));
  EXPECT_EQ(two->receive().bytes, small_frame(kBroadcast, 1));
  EXPECT_TRUE(one->silent() && two->silent() && three->silent());
}

TEST(SwitchForwarding, AddressesBehindAPortThatMayHaveThemAreLearned) {
  SwitchProcess program({port(1), port(2, ",spoofing"), port(3, ",spoofing")});
  auto one = program.connect(0);
  auto two = program.connect(1);
  auto three = program.connect(2);
  two->post(8);
  three->post(8);
  one->post(8);
  one->send(small_frame(0x77, 1));  // unknown: to both
  (void)two->receive();
  (void)three->receive();
  two->send(small_frame(1, 0x77));
  EXPECT_EQ(one->receive().bytes, small_frame(1, 0x77));
  one->send(small_frame(0x77, 1, 5));
  EXPECT_EQ(two->receive().bytes, small_frame(0x77, 1, 5));
  EXPECT_TRUE(three->silent());
  // The other port claims it while it is in use (a MAC flap), and does not get it.
  three->send(small_frame(1, 0x77));
  (void)one->receive();
  one->send(small_frame(0x77, 1, 6));
  EXPECT_EQ(two->receive().bytes, small_frame(0x77, 1, 6));
  // Nor an address that was given to a port.
  three->send(small_frame(2, 1, 8));
  EXPECT_EQ(two->receive().bytes, small_frame(2, 1, 8));
  two->send(small_frame(1, 2, 9));
  EXPECT_EQ(one->receive().bytes, small_frame(1, 2, 9));
  EXPECT_TRUE(three->silent());
  // A port whose session ended has nobody behind it.
  program.close(two.session);
  one->send(small_frame(0x77, 1, 7));
  EXPECT_EQ(three->receive().bytes, small_frame(0x77, 1, 7));
}

TEST(SwitchForwarding, VlansAndTags) {
  SwitchProcess program(
      {port(1, ",vlan=5"), port(2, ",vlan=5"), port(3, ",vlan=6"), port(4, ",trunk=5+6"), port(5)});
  std::vector<SwitchProcess::Connected> ports;
  for (std::uint32_t i = 0; i < 5; ++i) {
    ports.push_back(program.connect(i));
    ports.back()->post(8);
  }
  const Bytes call = small_frame(kBroadcast, 1);
  ports[0]->send(call);
  EXPECT_EQ(ports[1]->receive().bytes, call);
  EXPECT_EQ(ports[3]->receive().bytes, tagged(call, 5));
  EXPECT_TRUE(ports[2]->silent() && ports[4]->silent());
  // The same address in another VLAN is not there.
  ports[2]->send(small_frame(2, 3));
  EXPECT_TRUE(ports[1]->silent());
  ports[3]->send(tagged(small_frame(3, 4), 6));
  EXPECT_EQ(ports[2]->receive().bytes, small_frame(3, 4));
  EXPECT_EQ(ports[3]->send(tagged(small_frame(3, 4), 7)), net::Verdict::Forbidden);
  EXPECT_EQ(ports[4]->send(tagged(small_frame(1, 5), 5)), net::Verdict::Forbidden);
  EXPECT_EQ(program.drops(3, Drop::Vlan), 1U);
  EXPECT_EQ(program.drops(4, Drop::Vlan), 1U);
  // A checksum that is left to do, and a segment, through a tag.
  const Partial datagram = udp({.from = 1, .to = 4}, noise(100));
  ports[0]->send(datagram.frame, datagram.header);
  Bytes got = ports[3]->receive().bytes;
  EXPECT_EQ(read16(got, 14), 5U);
  got.erase(got.begin() + 12, got.begin() + 16);
  EXPECT_TRUE(checksums_hold(got));
}

TEST(SwitchForwarding, SegmentsPassWholeToWhoUnderstandsThem) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0, kLarge);
  auto two = program.connect(1, kLarge);
  EXPECT_EQ(two->ask(Type::SetOffloads, Offload::kAll).status, net::Controlled::kOk);
  two->post(40, 2048);
  const Partial segment = tcp({}, noise(65000), 1448);
  EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
  const ReceivedFrame got = two->receive();
  EXPECT_EQ(got.bytes, segment.frame);
  EXPECT_EQ(got.parts.size(), (segment.frame.size() + 2047) / 2048);
  EXPECT_EQ(got.header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
  EXPECT_EQ(got.header.gso_size, 1448);
  EXPECT_EQ(got.header.csum_start, 34);
  EXPECT_EQ(got.header.csum_offset, 16);
  EXPECT_EQ(got.header.hdr_len, 66);
}

TEST(SwitchForwarding, SegmentsAreCutForWhoDoesNot) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0, kLarge);
  auto two = program.connect(1, kLarge);
  two->post(64);
  const Bytes payload = noise(20'000);
  for (const bool v6 : {false, true}) {
    const std::uint16_t size = v6 ? 1428 : 1448;
    const Partial segment = tcp({.v6 = v6}, payload, size);
    EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
    Bytes whole;
    while (whole.size() < payload.size()) {
      const ReceivedFrame cut = two->receive();
      EXPECT_TRUE(checksums_hold(cut.bytes));
      EXPECT_LE(cut.bytes.size(), 1514U);
      append(whole, slice(cut.bytes, v6 ? 86 : 66, cut.bytes.size() - (v6 ? 86 : 66)));
    }
    EXPECT_EQ(whole, payload);
    two->post(15);
  }
  EXPECT_EQ(program.stats(1).net.received_frames, 14U + 15U);
}

TEST(SwitchForwarding, DatagramsPassWholeToWhoUnderstandsThemAndAreCutForOthers) {
  SwitchProcess program({port(1), port(2), port(3)});
  auto one = program.connect(0, kLarge);
  auto two = program.connect(1, kLarge);
  auto three = program.connect(2, kLarge);
  EXPECT_EQ(two->ask(Type::SetOffloads, Offload::kChecksum | Offload::kUso).status,
            net::Controlled::kOk);
  // TCP's segments are another thing.
  EXPECT_EQ(three->ask(Type::SetOffloads, Offload::kAll & ~Offload::kUso).status,
            net::Controlled::kOk);
  two->post(64);
  three->post(64);
  const Bytes payload = noise(20'001);
  for (const bool v6 : {false, true}) {
    Partial all = datagrams({.v6 = v6}, payload, 1400);
    const std::size_t headers = all.frame.size() - payload.size();
    EXPECT_EQ(one->send(all.frame, all.header), net::Verdict::Taken);
    const ReceivedFrame got = two->receive();
    EXPECT_EQ(got.bytes, all.frame);
    EXPECT_EQ(got.header.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
    EXPECT_EQ(got.header.gso_size, 1400);
    EXPECT_EQ(got.header.hdr_len, headers);
    EXPECT_EQ(got.header.csum_start, headers - 8);
    EXPECT_EQ(got.header.csum_offset, 6);

    put16(all.frame, 4, 3);  // to the third
    EXPECT_EQ(one->send(all.frame, all.header), net::Verdict::Taken);
    Bytes whole;
    while (whole.size() < payload.size()) {
      const ReceivedFrame cut = three->receive();
      EXPECT_TRUE(checksums_hold(cut.bytes));
      EXPECT_EQ(cut.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
      append(whole, slice(cut.bytes, headers, cut.bytes.size() - headers));
    }
    EXPECT_EQ(whole, payload);
  }
  EXPECT_EQ(program.stats(1).net.received_frames, 2U);
  EXPECT_EQ(program.stats(2).net.received_frames, 2U * 15U);
}

TEST(SwitchForwarding, LongerThanTheReceiversMtu) {
  SwitchProcess program({port(1, ",mtu=9000"), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  two->post(8);
  EXPECT_EQ(one->send(ethernet(2, 1, 0x88B5, noise(1501))), net::Verdict::Taken);
  const Partial segment = tcp({}, noise(30'000), 8000);
  EXPECT_EQ(one->send(segment.frame, segment.header), net::Verdict::Taken);
  EXPECT_EQ(one->send(ethernet(2, 1, 0x88B5, noise(1500))), net::Verdict::Taken);
  EXPECT_EQ(two->receive().bytes.size(), 1514U);
  EXPECT_EQ(program.drops(1, Drop::TooLong), 2U);
  EXPECT_EQ(program.drops(0, Drop::TooLong), 0U);
}

TEST(SwitchForwarding, FlowsKeepTheirOrderAndSpreadOverPairs) {
  constexpr Geometry kTwoPairs{
      .pages = 512, .rings = net::rings_for(2), .slot_bytes = net::kSlotBytes, .slots = 64};
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0, kTwoPairs);
  auto two = program.connect(1, kTwoPairs);
  two->post(64, 1024, 0);
  two->post(64, 1024, 1);
  for (std::uint16_t round = 0; round < 4; ++round) {
    for (std::uint16_t flow = 0; flow < 8; ++flow) {
      Bytes payload = be16(flow);
      append(payload, be16(round));
      one->send(udp({.id = round}, payload, static_cast<std::uint16_t>(1000 + flow)).frame, {},
                flow % 2);
    }
  }
  std::uint16_t rounds[8] = {};
  int flows_of[2] = {};
  for (std::uint16_t pair = 0; pair < 2; ++pair) {
    while (!two->silent(pair)) {
      const Bytes frame = two->receive(pair).bytes;
      const std::uint32_t flow = read16(frame, 42);
      EXPECT_EQ(read16(frame, 44), rounds[flow]++);
      ++flows_of[pair];
    }
  }
  for (const std::uint16_t round : rounds) EXPECT_EQ(round, 4);
  EXPECT_GT(flows_of[0], 0);
  EXPECT_GT(flows_of[1], 0);
}

TEST(SwitchForwarding, ManyFramesInOneBatch) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  auto two = program.connect(1);
  std::uint32_t sent = 0;
  for (int round = 0; round < 200; ++round) {
    two->post(64, 1024);
    for (std::uint32_t i = 0; i < 64; ++i) {
      one->put(ethernet(2, 1, 0x88B5, be32(sent + i)), {}, 0, i * 64);
    }
    one->publish(one->transmit());
    for (int i = 0; i < 64; ++i) EXPECT_EQ(one->verdict(), net::Verdict::Taken);
    for (int i = 0; i < 64; ++i) {
      ASSERT_EQ(two->receive().bytes, ethernet(2, 1, 0x88B5, be32(sent)));
      ++sent;
    }
  }
  // A doorbell for each would be 25600.
  EXPECT_LT(program.stats(0).doorbells + program.stats(1).doorbells, 2U * 200U + 100U);
}

TEST(SwitchForwarding, APortWithoutASession) {
  SwitchProcess program({port(1), port(2)});
  auto one = program.connect(0);
  EXPECT_EQ(one->send(small_frame(2, 1)), net::Verdict::Taken);
  EXPECT_EQ(program.drops(1, Drop::NoBuffer), 1U);
}

}  // namespace
}  // namespace cede::test
