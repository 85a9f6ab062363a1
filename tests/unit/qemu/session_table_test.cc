// SPDX-License-Identifier: Apache-2.0
// The shim's judgement, with the test as broker, QEMU and guest: whole lives, news that cross, and
// a guest that lies.
#include "vmm/qemu/shim/session_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace cede::qemu {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using enum MessageType;

const std::map<MessageType, std::string> kNames = {
    {Offer, "Offer"},   {Connected, "Connected"}, {Closing, "Closing"}, {Closed, "Closed"},
    {Mapped, "Mapped"}, {Refuse, "Refuse"},       {Close, "Close"},     {Release, "Release"}};

// Writes down what the table has done, in order.
class Script final : public SessionActions {
 public:
  Status plug(unsigned port, const Fd& region) override {
    EXPECT_TRUE(region);
    note(fmt::format("plug {}", port));
    return plug_status;
  }
  void unplug(unsigned port) override { note(fmt::format("unplug {}", port)); }
  Status open_bells(unsigned port, Fd kick, Fd call) override {
    EXPECT_TRUE(kick && call);
    note(fmt::format("bells {}", port));
    return bells_status;
  }
  void close_bells(unsigned port) override { note(fmt::format("no bells {}", port)); }
  void hold_kicks(unsigned port, std::chrono::microseconds time) override {
    note(fmt::format("hold {} {}", port, time.count()));
  }
  void guest_is_ready() override { note("ready"); }
  void tell_guest(unsigned port, const Message& message) override {
    note(fmt::format("guest {} {} {}", port, kNames.at(message.type), message.subject.index));
  }
  void tell_broker(const Message& message) override {
    last_told = message;
    note(fmt::format("broker {} {}", kNames.at(message.type), message.subject.index));
  }

  std::string take() { return std::exchange(text_, {}); }

  Status plug_status = Status::Ok;
  Status bells_status = Status::Ok;
  Message last_told;

 private:
  void note(const std::string& done) {
    text_ += text_.empty() ? "" : ", ";
    text_ += done;
  }
  std::string text_;
};

class SessionTableTest : public ::testing::Test {
 protected:
  static constexpr unsigned kPorts = 2;

  void SetUp() override {
    ASSERT_EQ(hello(), Status::Ok);
    ASSERT_EQ(done_.take(), "ready");
  }

  static Handle handle(std::uint32_t session) { return {.index = session, .generation = 1}; }
  void broker(MessageType type, std::uint32_t session, std::size_t descriptors = 0) {
    ControlLink::Incoming incoming;
    incoming.message.type = type;
    incoming.message.subject = handle(session);
    for (; incoming.fd_count < descriptors; ++incoming.fd_count) {
      incoming.fds[incoming.fd_count] = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    table_.from_broker(std::move(incoming));
  }
  void offer(std::uint32_t session) { broker(Offer, session, 3); }
  Status guest(MessageType type, std::uint32_t session, Status status = Status::Ok) {
    VmPacket packet{.kind = VmPacket::Kind::Control};
    packet.message.type = type;
    packet.message.subject = handle(session);
    packet.message.status = status;
    packet.message.info.bytes[0] = 42;
    packet.message.pages = 7;
    return table_.from_guest(packet);
  }
  Status hello() { return table_.from_guest({.kind = VmPacket::Kind::Hello}); }
  Status hold(unsigned port, std::uint32_t microseconds) {
    return table_.from_guest(
        {.kind = VmPacket::Kind::HoldKicks, .port = port, .microseconds = microseconds});
  }
  // A session on a port, as the guest has it then.
  void offered(std::uint32_t session, unsigned port) {
    offer(session);
    table_.plugged(port, Status::Ok, "");
    ASSERT_EQ(done_.take(), fmt::format("plug {0}, bells {0}, guest {0} Offer {1}", port, session));
  }
  void mapped(std::uint32_t session, unsigned port) {
    offered(session, port);
    ASSERT_EQ(guest(Mapped, session), Status::Ok);
    ASSERT_EQ(done_.take(), fmt::format("broker Mapped {}", session));
  }

  Script done_;
  SessionTable table_{kPorts, done_};
};

TEST_F(SessionTableTest, AWholeLife) {
  offer(5);
  EXPECT_EQ(done_.take(), "plug 0");
  table_.plugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "bells 0, guest 0 Offer 5");
  (void)guest(Mapped, 5);
  EXPECT_EQ(done_.take(), "broker Mapped 5");
  EXPECT_EQ(done_.last_told.info.bytes[0], 42);
  EXPECT_EQ(done_.last_told.pages, 0U) << "what the broker does not ask for is not passed on";
  broker(Connected, 5);
  EXPECT_EQ(done_.take(), "guest 0 Connected 5");
  (void)guest(Close, 5, Status::Broken);
  EXPECT_EQ(done_.take(), "broker Close 5");
  EXPECT_EQ(done_.last_told.status, Status::Broken);
  broker(Closing, 5);
  EXPECT_EQ(done_.take(), "guest 0 Closing 5");
  (void)guest(Release, 5);
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0");
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "broker Release 5") << "not before QEMU has let go";
  broker(Closed, 5);
  EXPECT_EQ(done_.take(), "");
}

TEST_F(SessionTableTest, ARefusalReachesTheBrokerOnceQemuHasLetGo) {
  for (const auto& [said, told] :
       {std::pair(Status::NoMemory, Status::NoMemory), std::pair(Status::Ok, Status::Refused),
        std::pair(static_cast<Status>(999), Status::Refused)}) {
    offered(5, 0);
    (void)guest(Refuse, 5, said);
    EXPECT_EQ(done_.take(), "no bells 0, unplug 0");
    table_.unplugged(0, Status::Ok, "");
    EXPECT_EQ(done_.take(), "broker Refuse 5");
    EXPECT_EQ(done_.last_told.status, told);
  }
}

TEST_F(SessionTableTest, WhatCannotBeTakenInIsRefused) {
  broker(Offer, 5, 2);
  EXPECT_EQ(done_.take(), "broker Refuse 5");
  EXPECT_EQ(done_.last_told.status, Status::Invalid);
  done_.plug_status = Status::Busy;
  offer(6);
  EXPECT_EQ(done_.take(), "plug 0, broker Refuse 6");
  EXPECT_EQ(done_.last_told.status, Status::Busy);
  done_.plug_status = Status::Ok;
  offer(7);
  table_.plugged(0, Status::Refused, "in QEMU's words");
  EXPECT_EQ(done_.take(), "plug 0, broker Refuse 7");
  EXPECT_EQ(done_.last_told.status, Status::Refused);
  done_.bells_status = Status::IoError;
  offer(8);
  table_.plugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "plug 0, bells 0, no bells 0, unplug 0");
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "broker Refuse 8");
  EXPECT_EQ(done_.last_told.status, Status::IoError);
}

TEST(SessionTableWithoutGuest, NobodyIsOfferedASessionBeforeItsHello) {
  Script done;
  SessionTable table(1, done);
  ControlLink::Incoming incoming;
  incoming.message.type = Offer;
  incoming.fd_count = 3;
  table.from_broker(std::move(incoming));
  EXPECT_EQ(done.take(), "broker Refuse 0");
  EXPECT_EQ(done.last_told.status, Status::WrongState);
}

TEST_F(SessionTableTest, PortsRunOutAndAreUsedAgain) {
  mapped(1, 0);
  mapped(2, 1);
  offer(3);
  EXPECT_EQ(done_.take(), "broker Refuse 3");
  EXPECT_EQ(done_.last_told.status, Status::Full);
  (void)guest(Release, 1);
  offer(4);
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0, broker Refuse 4") << "not yet empty";
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "broker Release 1");
  offered(5, 0);
}

TEST_F(SessionTableTest, ClosedWhilePluggingIsPluggedOutAndReleased) {
  offer(5);
  broker(Closing, 5);
  EXPECT_EQ(done_.take(), "plug 0") << "the guest knows of nothing";
  table_.plugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0");
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "broker Release 5");

  offer(6);
  broker(Closing, 6);
  table_.plugged(0, Status::Refused, "no");
  EXPECT_EQ(done_.take(), "plug 0, broker Release 6") << "a Refuse would not be heard any more";

  offer(7);
  broker(Closed, 7);
  table_.plugged(0, Status::Ok, "");
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "plug 0, no bells 0, unplug 0");
  offered(8, 0);
}

TEST_F(SessionTableTest, ClosedBeforeTheGuestHasAnswered) {
  offered(5, 0);
  broker(Closing, 5);
  EXPECT_EQ(done_.take(), "guest 0 Closing 5");
  EXPECT_EQ(guest(Mapped, 5), Status::Ok) << "said before it heard";
  EXPECT_EQ(guest(Close, 5), Status::Ok);
  EXPECT_EQ(done_.take(), "") << "the broker would not listen";
  (void)guest(Release, 5);
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0, broker Release 5");

  offered(6, 0);
  broker(Closing, 6);
  (void)guest(Refuse, 6, Status::Full);
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "guest 0 Closing 6, no bells 0, unplug 0, broker Release 6");
}

TEST_F(SessionTableTest, ARefusalThatAClosingCrossesIsFollowedByARelease) {
  broker(Offer, 5);
  EXPECT_EQ(done_.take(), "broker Refuse 5");
  broker(Closing, 5);
  EXPECT_EQ(done_.take(), "broker Release 5") << "or the domain would be killed for holding it";
}

TEST_F(SessionTableTest, ClosedWithoutAReleaseKeepsThePortUntilTheGuestLetsGo) {
  mapped(5, 0);
  broker(Closed, 5);
  EXPECT_EQ(done_.take(), "guest 0 Closed 5");
  EXPECT_EQ(hold(0, 1), Status::Ok) << "said before it heard";
  EXPECT_EQ(guest(Close, 5), Status::Ok);
  EXPECT_EQ(done_.take(), "hold 0 1");
  offered(6, 1);
  EXPECT_EQ(guest(Release, 5), Status::Ok);
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0") << "the broker has no use for a word";
  offered(7, 0);
}

TEST_F(SessionTableTest, APluggingThatIsOverdueMayStillEndWell) {
  offer(5);
  table_.plugged(0, Status::TimedOut, "");
  EXPECT_EQ(done_.take(), "plug 0") << "QEMU may have the memory: nothing can be said of it";
  table_.plugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "bells 0, guest 0 Offer 5");
}

TEST_F(SessionTableTest, AGuestThatKeepsADeviceIsAskedAgain) {
  mapped(5, 0);
  (void)guest(Release, 5);
  table_.unplugged(0, Status::TimedOut, "");
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0, unplug 0");
  table_.unplugged(0, Status::Ok, "");
  EXPECT_EQ(done_.take(), "broker Release 5");
}

TEST_F(SessionTableTest, ADeviceThatIsGivenUpUnaskedEndsItsSession) {
  mapped(5, 0);
  table_.unplugged(0, Status::TimedOut, "QEMU keeps the memory");
  EXPECT_EQ(done_.take(), "");
  table_.unplugged(0, Status::Gone, "");
  EXPECT_EQ(done_.take(), "no bells 0, guest 0 Closed 5, broker Release 5");
  offered(6, 0);
}

TEST_F(SessionTableTest, KicksAreHeldForABoundedTimeAndOnesOwnSessionsOnly) {
  mapped(5, 0);
  (void)hold(0, 50);
  (void)hold(0, UINT32_MAX);
  EXPECT_EQ(done_.take(), "hold 0 50, hold 0 100000");
  (void)hold(1, 50);
  (void)hold(kPorts, 50);
  (void)hold(UINT32_MAX, 50);
  EXPECT_EQ(done_.take(), "");
}

// ---- Attacks

TEST_F(SessionTableTest, AGuestThatIsSilentIsNotSpokenFor) {
  offered(5, 0);
  broker(Closing, 5);
  EXPECT_EQ(done_.take(), "guest 0 Closing 5") << "it may be at work on the pages";
  offered(6, 1);
}

TEST_F(SessionTableTest, AGuestThatSpeaksForSessionsThatAreNotItsOwnIsNotHeard) {
  mapped(5, 0);
  offer(6);  // plugging: the guest does not know of it
  (void)done_.take();
  for (const MessageType type : {Mapped, Refuse, Close, Release}) {
    (void)guest(type, 6);
    (void)guest(type, 7);
    VmPacket old{.kind = VmPacket::Kind::Control};
    old.message.type = type;
    old.message.subject = {.index = 5, .generation = 2};
    (void)table_.from_guest(old);
  }
  EXPECT_EQ(done_.take(), "");
}

TEST_F(SessionTableTest, AGuestThatSaysEverythingTwiceIsHeardOnce) {
  offered(5, 0);
  (void)guest(Mapped, 5);
  (void)guest(Mapped, 5);
  (void)guest(Refuse, 5);
  (void)guest(Close, 5);
  (void)guest(Close, 5);
  EXPECT_EQ(done_.take(), "broker Mapped 5, broker Close 5");
  (void)guest(Release, 5);
  (void)guest(Release, 5);
  (void)guest(Refuse, 5);
  (void)guest(Close, 5);
  EXPECT_EQ(done_.take(), "no bells 0, unplug 0");
  (void)hello();
  EXPECT_EQ(done_.take(), "");
}

TEST_F(SessionTableTest, AGuestThatSpeaksAsTheBrokerOrTheRootIsNotHeard) {
  mapped(5, 0);
  for (unsigned type = 0; type < 128; ++type) {
    const auto as = static_cast<MessageType>(type);
    if (as == Mapped || as == Refuse || as == Close || as == Release) continue;
    if (guest(as, 5) != Status::Ok) break;
  }
  EXPECT_EQ(done_.take(), "");
}

TEST_F(SessionTableTest, AGuestThatTalksNonsenseTooOftenIsGivenUp) {
  for (unsigned i = 0; i < SessionTable::kToleratedNonsense; ++i) {
    ASSERT_EQ(table_.from_guest({.kind = static_cast<VmPacket::Kind>(77)}), Status::Ok) << i;
  }
  EXPECT_EQ(guest(Release, 99), Status::Broken);
}

// It asks for what its driver refuses, and closes at once: the driver, which cannot know which of
// its words came in time, says a Release too many.
TEST_F(SessionTableTest, AClientThatMakesAnHonestGuestSayTooMuchDoesNotHaveItGivenUp) {
  for (std::uint32_t i = 0; i < 4 * SessionTable::kToleratedNonsense; ++i) {
    offer(i);
    table_.plugged(0, Status::Ok, "");
    broker(Closing, i);
    ASSERT_EQ(guest(Refuse, i), Status::Ok);
    ASSERT_EQ(guest(Release, i), Status::Ok) << i;
    table_.unplugged(0, Status::Ok, "");
    ASSERT_TRUE(done_.take().ends_with(fmt::format("broker Release {}", i)));
  }
}

TEST_F(SessionTableTest, ABrokersUnknownNewsChangeNothing) {
  mapped(5, 0);
  broker(Connected, 6);
  broker(Closed, 6);
  broker(Reply, 5);
  broker(Kill, 5);
  EXPECT_EQ(done_.take(), "");
}

}  // namespace
}  // namespace cede::qemu
