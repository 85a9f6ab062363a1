// SPDX-License-Identifier: Apache-2.0
// Packets over a stream that comes in pieces, is out of step, full, or closed.
#include "vmm/qemu/shim/guest_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "protocols/posix/channel.h"

namespace cede::qemu {
namespace {

class GuestStreamTest : public ::testing::Test {
 protected:
  GuestStreamTest() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    stream_.emplace(Fd(pair[0]));
    guest_ = Fd(pair[1]);
  }
  static VmPacket numbered(std::uint32_t number) {
    return {.kind = VmPacket::Kind::HoldKicks, .port = number};
  }
  void write(std::span<const std::byte> bytes) const {
    ASSERT_EQ(::send(guest_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT),
              static_cast<ssize_t>(bytes.size()));
  }
  void write(const VmPacket& packet) const { write(std::as_bytes(std::span(&packet, 1))); }
  void expect(std::uint32_t number) {
    const Result<VmPacket> packet = stream_->receive();
    ASSERT_TRUE(packet) << to_string(packet.status());
    EXPECT_EQ(packet->port, number);
    EXPECT_EQ(packet->kind, VmPacket::Kind::HoldKicks);
  }

  std::optional<GuestStream> stream_;
  Fd guest_;
};

TEST_F(GuestStreamTest, PacketsInPiecesOfEverySize) {
  std::vector<std::byte> bytes;
  constexpr std::uint32_t kPackets = 40;
  for (std::uint32_t i = 0; i < kPackets; ++i) {
    const VmPacket packet = numbered(i);
    const auto raw = std::as_bytes(std::span(&packet, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
  for (const std::size_t piece : {std::size_t{1}, sizeof(VmPacket) - 1, sizeof(VmPacket) + 1,
                                  std::size_t{1000}, bytes.size()}) {
    std::uint32_t heard = 0;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      write(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
      for (;;) {
        const Result<VmPacket> packet = stream_->receive();
        if (!packet) {
          ASSERT_EQ(packet.status(), Status::Busy);
          break;
        }
        ASSERT_EQ(packet->port, heard++);
      }
    }
    EXPECT_EQ(heard, kPackets) << piece;
  }
}

TEST_F(GuestStreamTest, GarbageIsNoPacket) {
  write(numbered(1));
  VmPacket wrong = numbered(2);
  wrong.magic ^= 1;
  write(wrong);
  expect(1);
  EXPECT_EQ(stream_->receive().status(), Status::Broken);
}

TEST_F(GuestStreamTest, AGuestThatEndsInTheMiddleOfAPacketIsGone) {
  const VmPacket packet = numbered(1);
  write(std::as_bytes(std::span(&packet, 1)).first(100));
  EXPECT_EQ(stream_->receive().status(), Status::Busy);
  guest_.reset();
  EXPECT_EQ(stream_->receive().status(), Status::Gone);
  EXPECT_EQ(stream_->send(packet), Status::Gone);
}

TEST_F(GuestStreamTest, WhatDoesNotFitWaitsUpToABound) {
  std::uint32_t sent = 0;
  Status status = Status::Ok;
  while (status == Status::Ok) {
    status = stream_->send(numbered(sent));
    sent += status == Status::Ok ? 1 : 0;
    ASSERT_LT(sent, 1'000'000U);
  }
  EXPECT_EQ(status, Status::Full);
  EXPECT_TRUE(stream_->waiting());

  std::vector<std::byte> heard;
  std::array<std::byte, 5000> buffer{};
  for (;;) {
    const ssize_t got = ::recv(guest_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) heard.insert(heard.end(), buffer.begin(), buffer.begin() + got);
    if (got <= 0 && !stream_->waiting()) break;
    ASSERT_EQ(stream_->flush(), Status::Ok);
  }
  ASSERT_EQ(heard.size(), sent * sizeof(VmPacket));
  for (std::uint32_t i = 0; i < sent; ++i) {
    VmPacket packet;
    std::memcpy(&packet, heard.data() + i * sizeof packet, sizeof packet);
    ASSERT_EQ(packet.port, i);
  }
}

TEST_F(GuestStreamTest, DescriptorsThatComeAlongAreNotTaken) {
  const VmPacket packet = numbered(1);
  const int smuggled = guest_.get();
  ASSERT_EQ(
      send_packet(guest_.get(), std::as_bytes(std::span(&packet, 1)), std::span(&smuggled, 1)),
      Status::Ok);
  const Fd before(::dup(guest_.get()));
  expect(1);
  const Fd after(::dup(guest_.get()));
  EXPECT_EQ(after.get(), before.get() + 1) << "the next free number";
}

}  // namespace
}  // namespace cede::qemu
