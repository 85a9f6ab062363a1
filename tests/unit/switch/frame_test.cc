// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/frame.h"

#include <gtest/gtest.h>

#include "tests/unit/switch/loaded_frame.h"

namespace cede::test {
namespace {

using driver::Frame;
using net::Offload;

TEST(Frame, PlainFramesPassAsTheyAre) {
  for (const std::size_t size : {14U, 60U, 64U, 255U, 256U, 257U, 1514U, 9014U}) {
    Bytes bytes = noise(size);
    bytes[12] = 0x88;
    bytes[13] = 0xB5;
    Frame frame;
    ASSERT_TRUE(load(frame, bytes)) << size;
    EXPECT_EQ(frame.length(), size);
    EXPECT_EQ(frame.vlan(), 0);
    EXPECT_EQ(frame.needs(), 0U);
    const auto delivered = deliver_all(frame, {});
    ASSERT_EQ(delivered.size(), 1U);
    EXPECT_EQ(delivered[0].bytes, bytes);
  }
}

TEST(Frame, RuntsAndGiantsAreMalformed) {
  Frame frame;
  EXPECT_FALSE(load(frame, Bytes(0)));
  EXPECT_FALSE(load(frame, Bytes(13)));
  EXPECT_TRUE(load(frame, Bytes(14)));
  EXPECT_FALSE(load(frame, Bytes(net::kMaxFrame + 1)));
  // Without a tag of its own, a frame has to leave room for one.
  EXPECT_FALSE(load(frame, Bytes(net::kMaxFrame)));
  EXPECT_TRUE(load(frame, Bytes(net::kMaxFrame - 4)));
  EXPECT_FALSE(load(frame, slice(tagged(small_frame(2, 1), 5), 0, 16)));
}

TEST(Frame, ATagIsTakenOffAndPutOn) {
  const Bytes plain = small_frame(2, 1);
  const Bytes with_tag = tagged(plain, 0x6005);
  Frame frame;
  ASSERT_TRUE(load(frame, with_tag));
  EXPECT_EQ(frame.vlan(), 5);
  EXPECT_EQ(frame.length(), plain.size());
  EXPECT_EQ(frame.ether_type(), 0x88B5);
  for (int round = 0; round < 2; ++round) {  // either form, after either
    EXPECT_EQ(deliver_all(frame, {.offloads = 0, .tagged = false})[0].bytes, plain);
    EXPECT_EQ(deliver_all(frame, {.offloads = 0, .tagged = true})[0].bytes, with_tag);
  }
  ASSERT_TRUE(load(frame, plain));
  frame.set_vlan(7);
  EXPECT_EQ(deliver_all(frame, {.offloads = 0, .tagged = true})[0].bytes, tagged(plain, 7));
}

TEST(Frame, OffsetsFollowTheTag) {
  Partial datagram = udp({}, noise(100));
  datagram.frame = tagged(datagram.frame, 9);
  datagram.header.csum_start += 4;
  Frame frame;
  ASSERT_TRUE(load(frame, datagram.frame, datagram.header));
  EXPECT_EQ(deliver_all(frame, {Offload::kChecksum, true})[0].header.csum_start, 38);
  EXPECT_EQ(deliver_all(frame, {Offload::kChecksum, false})[0].header.csum_start, 34);
  EXPECT_EQ(deliver_all(frame, {Offload::kChecksum, true})[0].bytes, datagram.frame);
  // A checksum that begins in the tag.
  datagram.header.csum_start = 16;
  EXPECT_FALSE(load(frame, datagram.frame, datagram.header));
}

TEST(Frame, ChecksumsAreDoneForWhoDoesNotUnderstandThem) {
  for (const bool v6 : {false, true}) {
    for (const std::size_t size : {0U, 1U, 17U, 100U, 213U, 214U, 215U, 1000U, 1001U, 1472U}) {
      for (const bool tag : {false, true}) {
        const Partial datagram = udp({.v6 = v6}, noise(size, static_cast<std::uint32_t>(size)));
        Frame frame;
        ASSERT_TRUE(load(frame, datagram.frame, datagram.header));
        EXPECT_EQ(frame.needs(), Offload::kChecksum);
        frame.set_vlan(3);
        auto delivered = deliver_all(frame, {.offloads = 0, .tagged = tag});
        ASSERT_EQ(delivered.size(), 1U);
        EXPECT_EQ(delivered[0].header.flags, 0);
        if (tag)
          delivered[0].bytes.erase(delivered[0].bytes.begin() + 12,
                                   delivered[0].bytes.begin() + 16);
        EXPECT_TRUE(checksums_hold(delivered[0].bytes)) << v6 << ' ' << size;
      }
    }
  }
}

TEST(Frame, AChecksumOfZeroIsWrittenAsAllOnes) {
  // The payload is chosen so that the sum comes to zero: what UDP takes for "no checksum".
  Partial datagram = udp({}, Bytes(2));
  Bytes sum_of = slice(datagram.frame, 34, datagram.frame.size() - 34);
  put16(datagram.frame, 42, ~ones_sum(sum_of) & 0xFFFF);
  Frame frame;
  ASSERT_TRUE(load(frame, datagram.frame, datagram.header));
  EXPECT_EQ(read16(deliver_all(frame, {})[0].bytes, 40), 0xFFFFU);
}

TEST(Frame, AChecksumIsLeftToWhoUnderstandsIt) {
  const Partial datagram = udp({}, noise(64));
  Frame frame;
  ASSERT_TRUE(load(frame, datagram.frame, datagram.header));
  const auto delivered = deliver_all(frame, {.offloads = Offload::kChecksum, .tagged = false});
  EXPECT_EQ(delivered[0].bytes, datagram.frame);
  EXPECT_EQ(delivered[0].header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
  EXPECT_EQ(delivered[0].header.csum_start, 34);
  EXPECT_EQ(delivered[0].header.csum_offset, 6);
}

// It is written after the frame was judged: an address of another's could come of it.
TEST(Frame, AChecksumInWhatIsJudgedIsMalformed) {
  Frame frame;
  for (const bool v6 : {false, true}) {
    Partial datagram = udp({.v6 = v6}, noise(64));
    const std::uint16_t transport = datagram.header.csum_start;
    for (std::uint16_t start = 14; start <= transport; ++start) {
      datagram.header.csum_start = start;
      EXPECT_EQ(load(frame, datagram.frame, datagram.header), start == transport) << start;
    }
  }
  net::Header in_arp{};
  in_arp.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  in_arp.csum_start = 14;
  in_arp.csum_offset = 16;
  EXPECT_FALSE(load(frame, arp(1, 1, 9), in_arp));
}

TEST(Frame, AChecksumBeyondTheHeadersIsMalformed) {
  Partial datagram = udp({}, noise(1000));
  Frame frame;
  datagram.header.csum_start = 250;
  datagram.header.csum_offset = 4;
  EXPECT_TRUE(load(frame, datagram.frame, datagram.header));
  datagram.header.csum_offset = 5;
  EXPECT_FALSE(load(frame, datagram.frame, datagram.header));
}

// XSA-423, -424, -432, -448 and their like: headers that are cut off, or do not fit together.
TEST(Frame, ASegmentCutOffAnywhereIsMalformedOrHarmless) {
  for (const bool v6 : {false, true}) {
    const Partial segment = tcp({.v6 = v6}, noise(300), 100);
    const std::size_t headers = segment.frame.size() - 300;
    Frame frame;
    for (std::size_t size = 0; size < segment.frame.size(); ++size) {
      const Bytes cut = slice(segment.frame, 0, size);
      const bool good = load(frame, cut, segment.header);
      EXPECT_EQ(good, size >= headers) << size;
      if (good) {
        EXPECT_EQ(frame.segmented(), size > headers + 100);
      }
    }
  }
}

TEST(Frame, ASegmentThatIsNotWhatItsHeaderSaysIsMalformed) {
  Frame frame;
  const Partial good = tcp({}, noise(300), 100);
  ASSERT_TRUE(load(frame, good.frame, good.header));
  const auto refused = [&](const auto& change) {
    Partial bad = good;
    change(bad);
    return !load(frame, bad.frame, bad.header);
  };
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV6; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.gso_type = VIRTIO_NET_HDR_GSO_UDP; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.gso_size = 0; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.flags = 0; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.csum_start += 2; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.header.csum_offset = 6; }));
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[14] = 0x65; }));       // version
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[14] = 0x44; }));       // a short header
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[14] = 0x4F; }));       // a longer one
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[23] = 17; }));         // UDP
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[20] = 0x20; }));       // a fragment
  EXPECT_TRUE(refused([](Partial& bad) { bad.frame[34 + 12] = 0x40; }));  // TCP header of 16
  EXPECT_TRUE(refused([](Partial& bad) { put16(bad.frame, 12, 0x86DD); }));
}

TEST(Frame, DatagramsThatAreNotWhatTheirHeaderSaysAreMalformed) {
  for (const bool v6 : {false, true}) {
    Frame frame;
    const Partial good = datagrams({.v6 = v6}, noise(300), 100);
    ASSERT_TRUE(load(frame, good.frame, good.header));
    const auto refused = [&](const auto& change) {
      Partial bad = good;
      change(bad);
      return !load(frame, bad.frame, bad.header);
    };
    EXPECT_TRUE(refused([](Partial& bad) { bad.header.csum_start -= 2; }));
    EXPECT_TRUE(refused([](Partial& bad) { bad.header.csum_start += 2; }));
    EXPECT_TRUE(refused([](Partial& bad) { bad.header.csum_offset = 16; }));
    EXPECT_TRUE(refused([&](Partial& bad) { bad.frame[v6 ? 20 : 23] = 6; }));  // TCP
    EXPECT_TRUE(refused([](Partial& bad) { bad.frame[14] ^= 0xF0; }));         // version
    EXPECT_TRUE(refused([](Partial& bad) { put16(bad.frame, 12, 0x88B5); }));
    EXPECT_TRUE(refused([&](Partial& bad) { put16(bad.frame, 12, v6 ? 0x0800 : 0x86DD); }));
    if (v6) continue;
    EXPECT_TRUE(refused([](Partial& bad) { bad.frame[14] = 0x4F; }));  // a longer header
    EXPECT_TRUE(refused([](Partial& bad) { bad.frame[20] = 0x20; }));  // a fragment
  }
}

TEST(Frame, DatagramsCutOffAnywhereAreMalformedOrHarmless) {
  for (const bool v6 : {false, true}) {
    const Partial all = datagrams({.v6 = v6}, noise(300), 100);
    const std::size_t headers = all.frame.size() - 300;
    Frame frame;
    for (std::size_t size = 0; size < all.frame.size(); ++size) {
      const bool good = load(frame, slice(all.frame, 0, size), all.header);
      EXPECT_EQ(good, size >= headers) << size;
      if (good) {
        EXPECT_EQ(frame.segmented(), size > headers + 100);
      }
    }
  }
}

TEST(Frame, ASegmentThatNeedsNoCuttingIsAPlainFrame) {
  Frame frame;
  for (const Partial& segment : {tcp({}, noise(100), 100), datagrams({}, noise(100), 100)}) {
    ASSERT_TRUE(load(frame, segment.frame, segment.header));
    EXPECT_FALSE(frame.segmented());
    EXPECT_EQ(frame.needs(), Offload::kChecksum);
    EXPECT_EQ(frame.wire_frames(), 1U);
  }
}

TEST(Frame, WhatAReceiverHasToUnderstand) {
  Frame frame;
  const auto needs = [&](bool v6, std::uint8_t flags) {
    const Partial segment = tcp({.v6 = v6}, noise(3000), 1000, flags);
    EXPECT_TRUE(load(frame, segment.frame, segment.header));
    EXPECT_EQ(frame.wire_frames(), 3U);
    return frame.needs();
  };
  EXPECT_EQ(needs(false, 0x10), Offload::kChecksum | Offload::kTso4);
  EXPECT_EQ(needs(true, 0x10), Offload::kChecksum | Offload::kTso6);
  EXPECT_EQ(needs(true, 0x90), Offload::kChecksum | Offload::kTso6 | Offload::kEcn);
  // CWR without the header's saying so.
  Partial segment = tcp({}, noise(3000), 1000, 0x90);
  segment.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  ASSERT_TRUE(load(frame, segment.frame, segment.header));
  EXPECT_EQ(frame.needs(), Offload::kChecksum | Offload::kTso4 | Offload::kEcn);
  for (const bool v6 : {false, true}) {
    const Partial all = datagrams({.v6 = v6}, noise(3000), 1400);
    ASSERT_TRUE(load(frame, all.frame, all.header));
    EXPECT_EQ(frame.needs(), Offload::kChecksum | Offload::kUso);
    EXPECT_EQ(frame.wire_frames(), 3U);
    EXPECT_EQ(frame.network_length(), (v6 ? 48U : 28U) + 1400U);
  }
}

TEST(Frame, ASenderThatWritesMeanwhileChangesNothingThatWasJudged) {
  Bytes bytes = small_frame(2, 1);
  const Bytes before = bytes;
  Frame frame;
  ASSERT_TRUE(load(frame, bytes));
  bytes.assign(bytes.size(), 0xFF);
  EXPECT_EQ(deliver_all(frame, {})[0].bytes, before);
}

}  // namespace
}  // namespace cede::test
