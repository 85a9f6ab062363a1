// SPDX-License-Identifier: Apache-2.0
// Packets in pieces, as a virtio-serial port may give and take them.
#include "driver_vm/guest/packet_stream.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/unit/driver/stream_pair.h"

namespace cede::driver {
namespace {

[[nodiscard]] VmPacket numbered(std::uint32_t number) {
  VmPacket packet{.kind = VmPacket::Kind::Control, .port = number};
  packet.message.type = MessageType::Offer;
  packet.message.pages = ~number;
  return packet;
}

class PacketStreamTest : public ::testing::Test {
 protected:
  test::StreamPair pair_;
  PacketStream stream_{std::move(pair_.ours)};
};

TEST_F(PacketStreamTest, APacketInPiecesIsNothingUntilItIsWhole) {
  const VmPacket packet = numbered(7);
  const auto* bytes = reinterpret_cast<const std::byte*>(&packet);
  for (std::size_t i = 0; i < sizeof packet; ++i) {
    EXPECT_EQ(stream_.receive().status(), Status::Busy);
    pair_.write({bytes + i, 1});
  }
  const Result<VmPacket> received = stream_.receive();
  ASSERT_TRUE(received);
  EXPECT_EQ(std::memcmp(&*received, &packet, sizeof packet), 0);
  EXPECT_EQ(stream_.receive().status(), Status::Busy);
}

TEST_F(PacketStreamTest, PacketsThatComeTogetherAreApart) {
  std::vector<VmPacket> packets;
  for (std::uint32_t i = 0; i < 9; ++i) packets.push_back(numbered(i));
  pair_.write(std::as_bytes(std::span(packets)));
  for (std::uint32_t i = 0; i < 9; ++i) {
    const Result<VmPacket> received = stream_.receive();
    ASSERT_TRUE(received);
    EXPECT_EQ(received->port, i);
    EXPECT_EQ(received->message.pages, ~i);
  }
  EXPECT_EQ(stream_.receive().status(), Status::Busy);
}

TEST_F(PacketStreamTest, WhatHasNoRoomWaitsAndKeepsItsOrder) {
  constexpr std::uint32_t kPackets = 5000;  // more than the socket holds
  for (std::uint32_t i = 0; i < kPackets; ++i) stream_.send(numbered(i));
  EXPECT_FALSE(stream_.all_sent());
  std::vector<std::byte> received;
  while (received.size() < kPackets * sizeof(VmPacket)) {
    const std::vector<std::byte> piece = pair_.read(777);
    received.insert(received.end(), piece.begin(), piece.end());
    stream_.flush();
  }
  EXPECT_TRUE(stream_.all_sent());
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    VmPacket packet;
    std::memcpy(&packet, received.data() + i * sizeof packet, sizeof packet);
    ASSERT_EQ(packet.magic, VmPacket::kMagic);
    ASSERT_EQ(packet.port, i);
  }
}

TEST_F(PacketStreamTest, AStreamOutOfStepStaysSo) {
  VmPacket packet = numbered(1);
  packet.magic = VmPacket::kMagic - 1;  // the version before
  pair_.write(std::as_bytes(std::span(&packet, 1)));
  EXPECT_EQ(stream_.receive().status(), Status::Broken);
  const VmPacket good = numbered(2);
  pair_.write(std::as_bytes(std::span(&good, 1)));
  EXPECT_EQ(stream_.receive().status(), Status::Broken);
}

TEST_F(PacketStreamTest, NothingWaitsForSomebodyWhoHasGone) {
  std::signal(SIGPIPE, SIG_IGN);  // as the programs do
  const VmPacket last = numbered(3);
  pair_.write(std::as_bytes(std::span(&last, 1)));
  pair_.theirs.reset();
  EXPECT_EQ(stream_.receive()->port, 3U);
  EXPECT_EQ(stream_.receive().status(), Status::Gone);
  stream_.send(numbered(4));
  EXPECT_TRUE(stream_.all_sent());
}

}  // namespace
}  // namespace cede::driver
