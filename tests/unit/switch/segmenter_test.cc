// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/segmenter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/switch/loaded_frame.h"

namespace cede::test {
namespace {

using driver::Frame;
using net::Offload;

class Segments : public testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] std::vector<Delivered> cut(const Bytes& payload, std::uint16_t size,
                                           std::uint8_t flags = 0x18, bool tag = false) {
    const Partial segment = tcp({.v6 = GetParam()}, payload, size, flags);
    EXPECT_TRUE(load(frame_, segment.frame, segment.header));
    frame_.set_vlan(5);
    return deliver_all(frame_, {.offloads = 0, .tagged = tag});
  }
  [[nodiscard]] std::vector<Delivered> cut_udp(const Bytes& payload, std::uint16_t size,
                                               driver::ReceiverForm form = {}) {
    const Partial all = datagrams({.v6 = GetParam(), .id = 0xFFFF}, payload, size);
    EXPECT_TRUE(load(frame_, all.frame, all.header));
    frame_.set_vlan(5);
    return deliver_all(frame_, form);
  }
  [[nodiscard]] std::size_t udp_at() const { return tcp_at(); }
  [[nodiscard]] std::size_t tcp_at() const { return GetParam() ? 54 : 34; }
  [[nodiscard]] std::size_t payload_at() const { return tcp_at() + 32; }

  Frame frame_;
};

INSTANTIATE_TEST_SUITE_P(Ip, Segments, testing::Bool(),
                         [](const auto& param) { return param.param ? "V6" : "V4"; });

TEST_P(Segments, PayloadIsWholeAndEveryChecksumHolds) {
  for (const std::size_t total : {101U, 200U, 201U, 1448U * 3, 1448U * 3 + 1, 65000U}) {
    const Bytes payload = noise(total, static_cast<std::uint32_t>(total));
    const std::uint16_t size = total > 1448 ? 1448 : 100;
    const auto cuts = cut(payload, size);
    EXPECT_EQ(cuts.size(), (total + size - 1) / size);
    Bytes whole;
    for (const Delivered& one : cuts) {
      EXPECT_TRUE(checksums_hold(one.bytes));
      EXPECT_EQ(read32(one.bytes, tcp_at() + 4), 1000 + whole.size());
      EXPECT_EQ(one.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
      EXPECT_EQ(one.header.flags, 0);
      append(whole, slice(one.bytes, payload_at(), one.bytes.size() - payload_at()));
    }
    EXPECT_EQ(whole, payload);
  }
}

TEST_P(Segments, OddSizesToo) {
  const auto cuts = cut(noise(1000), 49);
  EXPECT_EQ(cuts.size(), 21U);
  for (const Delivered& one : cuts) EXPECT_TRUE(checksums_hold(one.bytes));
}

TEST_P(Segments, FinAndPushAreTheLasts) {
  const auto cuts = cut(noise(300), 100, 0x19);
  ASSERT_EQ(cuts.size(), 3U);
  EXPECT_EQ(cuts[0].bytes[tcp_at() + 13], 0x10);
  EXPECT_EQ(cuts[1].bytes[tcp_at() + 13], 0x10);
  EXPECT_EQ(cuts[2].bytes[tcp_at() + 13], 0x19);
}

TEST_P(Segments, CongestionWindowReducedIsTheFirsts) {
  const auto cuts = cut(noise(300), 100, 0xD8);  // CWR, ECE, PSH, ACK
  ASSERT_EQ(cuts.size(), 3U);
  EXPECT_EQ(cuts[0].bytes[tcp_at() + 13], 0xD0);
  EXPECT_EQ(cuts[1].bytes[tcp_at() + 13], 0x50);
  EXPECT_EQ(cuts[2].bytes[tcp_at() + 13], 0x58);
}

TEST_P(Segments, IdsCountUp) {
  const bool v6 = GetParam();  // has none
  const auto cuts = cut(noise(300), 100);
  ASSERT_EQ(cuts.size(), 3U);
  for (std::size_t i = 0; i < 3 && !v6; ++i) EXPECT_EQ(read16(cuts[i].bytes, 18), 0x1234 + i);
}

TEST_P(Segments, EachHasTheTag) {
  for (const Delivered& one : cut(noise(300), 100, 0x18, true)) {
    EXPECT_EQ(read16(one.bytes, 12), 0x8100U);
    EXPECT_EQ(read16(one.bytes, 14), 5U);
    Bytes plain = one.bytes;
    plain.erase(plain.begin() + 12, plain.begin() + 16);
    EXPECT_TRUE(checksums_hold(plain));
  }
}

// For a receiver that does everything but this, too.
TEST_P(Segments, DatagramsAreWholeWithLengthChecksumAndIdOfTheirOwn) {
  for (const std::uint32_t offloads : {0U, Offload::kChecksum, Offload::kAll & ~Offload::kUso}) {
    for (const std::size_t total : {101U, 200U, 201U, 1400U * 40, 1400U * 40 + 1, 65000U}) {
      const Bytes payload = noise(total, static_cast<std::uint32_t>(total));
      const std::uint16_t size = total > 1400 ? 1400 : 100;
      const auto cuts = cut_udp(payload, size, {.offloads = offloads, .tagged = false});
      ASSERT_EQ(cuts.size(), (total + size - 1) / size);
      Bytes whole;
      for (std::size_t i = 0; i < cuts.size(); ++i) {
        const Bytes& bytes = cuts[i].bytes;
        const std::size_t length = std::min<std::size_t>(size, total - whole.size());
        ASSERT_EQ(bytes.size(), udp_at() + 8 + length);
        EXPECT_EQ(read16(bytes, udp_at() + 4), 8 + length);
        EXPECT_TRUE(checksums_hold(bytes));
        if (!GetParam()) {
          EXPECT_EQ(read16(bytes, 18), (0xFFFF + i) & 0xFFFF);
        }
        EXPECT_EQ(cuts[i].header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
        EXPECT_EQ(cuts[i].header.flags, 0);
        append(whole, slice(bytes, udp_at() + 8, length));
      }
      EXPECT_EQ(whole, payload);
    }
  }
}

TEST_P(Segments, TheSmallestDatagrams) {
  const auto cuts = cut_udp(noise(net::kMaxDatagrams), 1);
  ASSERT_EQ(cuts.size(), net::kMaxDatagrams);
  for (const Delivered& one : cuts) EXPECT_TRUE(checksums_hold(one.bytes));
}

TEST_P(Segments, ADatagramsChecksumOfZeroIsWrittenAsAllOnes) {
  Bytes payload = noise(300);
  put16(payload, 100, 0);
  // The second one's own checksum, in its payload, makes it zero.
  put16(payload, 100, read16(cut_udp(payload, 100)[1].bytes, udp_at() + 6));
  const auto cuts = cut_udp(payload, 100);
  EXPECT_EQ(read16(cuts[1].bytes, udp_at() + 6), 0xFFFFU);
  EXPECT_TRUE(checksums_hold(cuts[1].bytes));
}

TEST_P(Segments, EachDatagramHasTheTag) {
  for (const Delivered& one : cut_udp(noise(300), 100, {.offloads = 0, .tagged = true})) {
    EXPECT_EQ(read16(one.bytes, 12), 0x8100U);
    EXPECT_EQ(read16(one.bytes, 14), 5U);
    Bytes plain = one.bytes;
    plain.erase(plain.begin() + 12, plain.begin() + 16);
    EXPECT_TRUE(checksums_hold(plain));
  }
}

TEST(SegmentsOfIpv6, ExtensionHeadersAreWalked) {
  Partial segment = tcp({.v6 = true}, noise(300), 100);
  // Eight bytes of destination options between IPv6 and TCP.
  const Bytes options = {6, 0, 1, 4, 0, 0, 0, 0};
  segment.frame[20] = 60;
  segment.frame.insert(segment.frame.begin() + 54, options.begin(), options.end());
  segment.header.csum_start += 8;
  Frame frame;
  ASSERT_TRUE(load(frame, segment.frame, segment.header));
  const auto cuts = deliver_all(frame, {});
  ASSERT_EQ(cuts.size(), 3U);
  for (Delivered one : cuts) {
    EXPECT_EQ(read16(one.bytes, 18), one.bytes.size() - 54);
    one.bytes.erase(one.bytes.begin() + 54, one.bytes.begin() + 62);
    one.bytes[20] = 6;
    put16(one.bytes, 18, static_cast<std::uint32_t>(one.bytes.size() - 54));
    EXPECT_TRUE(checksums_hold(one.bytes));
  }
  // Options that point beyond the head.
  segment.frame[55] = 255;
  EXPECT_FALSE(load(frame, segment.frame, segment.header));
}

}  // namespace
}  // namespace cede::test
