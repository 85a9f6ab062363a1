// SPDX-License-Identifier: Apache-2.0
// Which frame headers make sense.
#include <gtest/gtest.h>

#include "protocols/net.h"

namespace cede::test {
namespace {

using net::consistent;
using net::Offload;

constexpr std::uint32_t kUdpAt = 34;

constexpr net::Header with(void (*change)(net::Header&)) {
  net::Header header{};
  header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
  header.gso_size = 1000;
  header.csum_start = kUdpAt;
  header.csum_offset = 6;
  change(header);
  return header;
}
constexpr net::Header kDatagrams = with([](net::Header&) {});

TEST(NetHeader, DatagramsAreForWhoUnderstandsThem) {
  EXPECT_TRUE(consistent(kDatagrams, 5000, Offload::kAll));
  EXPECT_TRUE(consistent(kDatagrams, 5000, Offload::kChecksum | Offload::kUso));
  EXPECT_FALSE(consistent(kDatagrams, 5000, Offload::kUso));
  EXPECT_FALSE(consistent(kDatagrams, 5000, Offload::kAll & ~Offload::kUso));
}

TEST(NetHeader, DatagramsNeedAChecksumAndALength) {
  const auto refused = [](void (*change)(net::Header&)) {
    return !consistent(with(change), 5000, Offload::kAll);
  };
  EXPECT_TRUE(refused([](net::Header& header) { header.flags = 0; }));
  EXPECT_TRUE(refused([](net::Header& h) { h.flags = VIRTIO_NET_HDR_F_DATA_VALID; }));
  EXPECT_TRUE(refused([](net::Header& header) { header.gso_size = 0; }));
  EXPECT_TRUE(refused([](net::Header& h) { h.gso_type |= VIRTIO_NET_HDR_GSO_ECN; }));
  EXPECT_TRUE(refused([](net::Header& header) { header.csum_start = 5000; }));
  EXPECT_TRUE(refused([](net::Header& h) { h.gso_type = VIRTIO_NET_HDR_GSO_UDP; }));
}

TEST(NetHeader, DatagramsAreOfAnyLengthAndNoMoreThanSoMany) {
  constexpr std::uint16_t kSizes[] = {1, 47, 500};
  for (const std::uint16_t size : kSizes) {
    net::Header header = kDatagrams;
    header.gso_size = size;
    const std::uint32_t most = kUdpAt + net::kUdpHeaderBytes + net::kMaxDatagrams * size;
    EXPECT_TRUE(consistent(header, most, Offload::kAll)) << size;
    EXPECT_FALSE(consistent(header, most + 1, Offload::kAll)) << size;
  }
}

TEST(NetHeader, SegmentsOfTcpAreOfAnyLengthAndNoMoreThanSoMany) {
  net::Header header = kDatagrams;
  header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  header.gso_size = 48;
  EXPECT_TRUE(consistent(header, net::kMaxSegments * 48, Offload::kAll));
  EXPECT_FALSE(consistent(header, net::kMaxSegments * 48 + 1, Offload::kAll));
  header.gso_size = 1;  // of short packets that a card has merged
  EXPECT_TRUE(consistent(header, net::kMaxSegments, Offload::kAll));
  EXPECT_FALSE(consistent(header, net::kMaxSegments + 1, Offload::kAll));
}

}  // namespace
}  // namespace cede::test
