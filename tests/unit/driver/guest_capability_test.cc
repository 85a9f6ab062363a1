// SPDX-License-Identifier: Apache-2.0
// Offers whose regions come late or never, with the test as the host and as the guest's kernel.
#include "driver_vm/guest/guest_capability.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <set>

#include "tests/unit/driver/stream_pair.h"

namespace cede::driver {
namespace {

constexpr unsigned kPorts = 4;
constexpr Handle kSession{.index = 5, .generation = 3};

struct NoEnds final : SessionEnds {
  [[nodiscard]] Result<std::span<std::byte>> map(std::size_t /*bytes*/) override {
    return Status::Invalid;
  }
  [[nodiscard]] bool pinnable() const noexcept override { return false; }
  [[nodiscard]] int kick_fd() const noexcept override { return -1; }
  void clear_kick() noexcept override {}
  void hold_kicks(Duration /*duration*/) noexcept override {}
  void call() noexcept override {}
};

class GuestCapabilityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // It greets when it is ready for sessions, and before it says anything else.
    EXPECT_FALSE(said());
    expect_nothing();
    const std::optional<VmPacket> hello = said();
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->kind, VmPacket::Kind::Hello);
  }
  void tell(MessageType type, Handle session = kSession, unsigned port = 0) {
    VmPacket packet{.kind = VmPacket::Kind::Control, .port = port};
    packet.message.type = type;
    packet.message.subject = session;
    pair_.write(std::as_bytes(std::span(&packet, 1)));
  }
  // What the guest has said, if anything.
  std::optional<VmPacket> said() {
    const std::vector<std::byte> bytes = pair_.read(sizeof(VmPacket));
    if (bytes.size() != sizeof(VmPacket)) return std::nullopt;
    VmPacket packet;
    std::memcpy(&packet, bytes.data(), sizeof packet);
    return packet;
  }
  void expect_said(MessageType type, Status status = Status::Ok) {
    const std::optional<VmPacket> packet = said();
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->kind, VmPacket::Kind::Control);
    EXPECT_EQ(packet->message.type, type);
    EXPECT_EQ(packet->message.subject, kSession);
    EXPECT_EQ(packet->message.status, status);
  }
  void expect_received(MessageType type, Handle session = kSession) {
    const Result<Capability::Incoming> incoming = capability_.receive();
    ASSERT_TRUE(incoming) << to_string(incoming.status());
    EXPECT_EQ(incoming->message.type, type);
    EXPECT_EQ(incoming->message.subject, session);
    EXPECT_EQ(incoming->ends != nullptr, type == MessageType::Offer);
  }
  void expect_nothing() { EXPECT_EQ(capability_.receive().status(), Status::Busy); }

  test::StreamPair pair_;
  std::set<unsigned> found_;  // ports whose region the kernel knows
  GuestCapability capability_{std::move(pair_.ours), kPorts,
                              [this](unsigned port, PacketStream&) -> std::unique_ptr<SessionEnds> {
                                if (!found_.contains(port)) return nullptr;
                                return std::make_unique<NoEnds>();
                              }};
};

TEST_F(GuestCapabilityTest, AnOfferIsHeldBackUntilItsRegionIsThere) {
  expect_nothing();
  EXPECT_EQ(capability_.deadline(), kNever);
  tell(MessageType::Offer, kSession, 2);
  expect_nothing();
  EXPECT_LE(capability_.deadline(), monotonic_now() + GuestCapability::kLook);
  found_ = {2};
  expect_received(MessageType::Offer);
  expect_nothing();
  EXPECT_EQ(capability_.deadline(), kNever);
}

TEST_F(GuestCapabilityTest, OthersPassOneThatWaits) {
  const Handle other{.index = 6, .generation = 1};
  found_ = {1};
  tell(MessageType::Offer);
  tell(MessageType::Offer, other, 1);
  expect_received(MessageType::Offer, other);
  tell(MessageType::Connected, other);
  expect_received(MessageType::Connected, other);
  tell(MessageType::Closing, other);
  expect_received(MessageType::Closing, other);
  expect_nothing();
}

TEST_F(GuestCapabilityTest, OneThatIsClosedWhileItWaitsIsReleased) {
  for (const MessageType end : {MessageType::Closing, MessageType::Closed}) {
    tell(MessageType::Offer);
    expect_nothing();
    tell(end);
    expect_nothing();
    expect_said(MessageType::Release);
    found_ = {0};
    expect_nothing();
    found_.clear();
  }
}

TEST_F(GuestCapabilityTest, EvenAClosedSessionHasToBeReleased) {
  tell(MessageType::Closed);
  expect_received(MessageType::Closing);
}

TEST_F(GuestCapabilityTest, APortThatCannotBeIsRefused) {
  tell(MessageType::Offer, kSession, kPorts);
  expect_nothing();
  expect_said(MessageType::Refuse, Status::Invalid);
}

TEST_F(GuestCapabilityTest, SendsWhatItIsGivenAndNothingElse) {
  Message message;
  message.type = MessageType::Mapped;
  message.subject = kSession;
  capability_.send(message);
  EXPECT_TRUE(capability_.all_sent());
  expect_said(MessageType::Mapped);
  EXPECT_FALSE(said());
}

TEST_F(GuestCapabilityTest, TheEndOfTheStreamIsTheEnd) {
  pair_.theirs.reset();
  EXPECT_EQ(capability_.receive().status(), Status::Gone);
}

}  // namespace
}  // namespace cede::driver
