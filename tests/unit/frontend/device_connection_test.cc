// SPDX-License-Identifier: Apache-2.0
#include "frontend/device_connection.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cede::frontend {
namespace {

using State = DeviceConnection::State;
using Task = DeviceConnection::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Geometry kGeometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 16};
constexpr Handle kGrant{3, 1};
constexpr Handle kSession{7, 1};

Message event(MessageType type, Handle subject, Status status = Status::Ok) {
  Message message;
  message.type = type;
  message.subject = subject;
  message.status = status;
  return message;
}

// A connection, a clock, and the broker's side of the conversation.
class Connecting : public testing::Test {
 protected:
  void grant(Handle handle = kGrant, std::string_view name = "vda") {
    connection_.granted(handle, Name(name), now_);
  }
  // Sends whatever is due; its type.
  std::vector<MessageType> send_due() {
    std::vector<MessageType> types;
    while (const auto message = connection_.outgoing(now_)) {
      types.push_back(message->type);
      last_ = *message;
      connection_.sent(message->type, ++tag_, now_);
    }
    return types;
  }
  Task reply(Status status, Handle session = {}) {
    Message message = event(MessageType::Reply, session, status);
    message.tag = tag_;
    return connection_.receive(message, now_);
  }
  Task tell(MessageType type, Status status = Status::Ok, Handle session = kSession) {
    return connection_.receive(event(type, session, status), now_);
  }
  Task revoke(Handle grant = kGrant) {
    return connection_.receive(event(MessageType::Revoked, grant), now_);
  }
  void connect(Handle session = kSession) {
    ASSERT_EQ(send_due(), std::vector{MessageType::Connect});
    ASSERT_EQ(reply(Status::Ok, session), Task::None);
    ASSERT_EQ(tell(MessageType::Offer, Status::Ok, session), Task::MapOffer);
    connection_.mapped(true);
    ASSERT_EQ(send_due(), std::vector{MessageType::Mapped});
    ASSERT_EQ(tell(MessageType::Connected, Status::Ok, session), Task::HandOver);
    ASSERT_EQ(connection_.state(), State::Connected);
  }
  [[nodiscard]] DeviceConnection::Duration until_deadline() const {
    const auto deadline = connection_.deadline();
    return deadline ? *deadline - now_ : DeviceConnection::Duration::max();
  }

  DeviceConnection connection_{"vda", kGeometry};
  DeviceConnection::TimePoint now_{seconds(1000)};
  Message last_;
  std::uint32_t tag_ = 0;
};

TEST_F(Connecting, AGrantLeadsToASessionWithTheConfiguredGeometry) {
  EXPECT_TRUE(connection_.idle());
  EXPECT_TRUE(send_due().empty()) << "nothing to connect to yet";
  EXPECT_FALSE(connection_.deadline());
  grant();
  EXPECT_LE(until_deadline(), seconds(0));
  ASSERT_EQ(send_due(), std::vector{MessageType::Connect});
  EXPECT_EQ(last_.subject, kGrant);
  EXPECT_EQ(last_.geometry, kGeometry);
  EXPECT_FALSE(connection_.idle());
}

TEST_F(Connecting, AGrantOfAnotherNameIsNotForIt) {
  grant(kGrant, "vdb");
  EXPECT_TRUE(send_due().empty());
  grant({});
  EXPECT_TRUE(send_due().empty()) << "generation 0 is never issued";
}

TEST_F(Connecting, WithoutANameTheFirstGrantGivesIt) {
  DeviceConnection any("", kGeometry);
  any.granted({1, 1}, Name("vdz"), now_);
  EXPECT_EQ(any.name(), "vdz");
  EXPECT_FALSE(any.accepts(Name("vda")));
  EXPECT_TRUE(any.accepts(Name("vdz")));
}

TEST_F(Connecting, ASessionEndsWithReleaseAndIsFollowedByAnother) {
  grant();
  connect();
  now_ += seconds(5);
  ASSERT_EQ(tell(MessageType::Closing, Status::TimedOut), Task::TellEnding);
  EXPECT_EQ(connection_.failure(), Status::TimedOut);
  EXPECT_TRUE(send_due().empty()) << "the owner still holds the session";
  connection_.released(now_);
  EXPECT_LE(until_deadline(), seconds(0));
  ASSERT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(last_.subject, kSession);
  EXPECT_GT(until_deadline(), seconds(0)) << "the pages are not home yet";
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  now_ += DeviceConnection::kLongestDelay;
  connect({7, 2});
}

TEST_F(Connecting, PagesComingHomeCutTheWaitShort) {
  grant();
  connect();
  (void)tell(MessageType::Closing);
  connection_.released(now_);
  (void)send_due();
  const auto before = until_deadline();
  (void)tell(MessageType::Closed);
  EXPECT_LT(until_deadline(), before);
}

TEST_F(Connecting, ClosedWithoutClosingIsAnEndToo) {
  grant();
  connect();
  ASSERT_EQ(tell(MessageType::Closed, Status::Gone), Task::TellEnding);
  connection_.released(now_);
  EXPECT_EQ(connection_.state(), State::Waiting) << "there is nobody to send Release to";
}

TEST_F(Connecting, ClosedBeforeTheOwnerLetGoSparesTheRelease) {
  grant();
  connect();
  ASSERT_EQ(tell(MessageType::Closing), Task::TellEnding);
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  EXPECT_EQ(connection_.state(), State::Ending);
  connection_.released(now_);
  EXPECT_EQ(connection_.state(), State::Waiting);
}

TEST_F(Connecting, BusyIsTriedAgainWithDelaysThatDoubleUpToALimit) {
  grant();
  DeviceConnection::Duration expected = DeviceConnection::kShortestDelay;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(send_due(), std::vector{MessageType::Connect});
    ASSERT_EQ(reply(Status::Busy), Task::TellFailed);
    EXPECT_EQ(connection_.failure(), Status::Busy);
    ASSERT_EQ(until_deadline(), expected);
    now_ += expected - milliseconds(1);
    ASSERT_TRUE(send_due().empty()) << "too early";
    now_ += milliseconds(1);
    expected = std::min(2 * expected, DeviceConnection::kLongestDelay);
  }
}

TEST_F(Connecting, ANewGrantMakesTheDelayShortAgain) {
  grant();
  for (int i = 0; i < 10; ++i) {
    (void)send_due();
    (void)reply(Status::Overdrawn);
    now_ += DeviceConnection::kLongestDelay;
  }
  (void)revoke();
  grant({3, 2});
  EXPECT_LE(until_deadline(), seconds(0));
  (void)send_due();
  EXPECT_EQ(last_.subject, (Handle{3, 2}));
  (void)reply(Status::Busy);
  EXPECT_EQ(until_deadline(), DeviceConnection::kShortestDelay);
}

TEST_F(Connecting, ASessionThatFailsAtOnceKeepsTheDelayGrowing) {
  grant();
  DeviceConnection::Duration last{};
  for (std::uint32_t i = 1; i < 6; ++i) {
    connect({7, i});
    (void)tell(MessageType::Closed, Status::Broken, {7, i});
    connection_.released(now_);
    EXPECT_GT(until_deadline(), last);
    last = until_deadline();
    now_ += last;
  }
  connect({7, 6});
  now_ += DeviceConnection::kSteady;
  (void)tell(MessageType::Closed, Status::Broken, {7, 6});
  connection_.released(now_);
  EXPECT_EQ(until_deadline(), DeviceConnection::kShortestDelay) << "that one had lasted";
}

TEST_F(Connecting, WhatOnlyAnotherGrantCanCureIsNotTriedAgain) {
  for (const Status status : {Status::Invalid, Status::NotPermitted, Status::Stale, Status::Sealed,
                              Status::NotSupported}) {
    grant();
    ASSERT_EQ(send_due(), std::vector{MessageType::Connect});
    EXPECT_EQ(reply(status), Task::TellFailed);
    EXPECT_EQ(connection_.state(), State::NoGrant);
    EXPECT_FALSE(connection_.deadline());
  }
}

TEST_F(Connecting, AnOkReplyWithoutASessionIsAFailure) {
  grant();
  (void)send_due();
  EXPECT_EQ(reply(Status::Ok, {}), Task::TellFailed);
  EXPECT_EQ(connection_.failure(), Status::Broken);
  EXPECT_EQ(connection_.state(), State::Waiting);
}

TEST_F(Connecting, ARefusedSessionRollsBackAndIsTriedAgain) {
  grant();
  (void)send_due();
  (void)reply(Status::Ok, kSession);
  EXPECT_EQ(tell(MessageType::Closed, Status::Refused), Task::DropOffer);
  EXPECT_EQ(connection_.failure(), Status::Refused);
  EXPECT_EQ(until_deadline(), DeviceConnection::kShortestDelay);
}

TEST_F(Connecting, ClosingBeforeConnectedDropsTheOfferAndReleases) {
  grant();
  (void)send_due();
  (void)reply(Status::Ok, kSession);
  (void)tell(MessageType::Offer);
  connection_.mapped(true);
  (void)send_due();
  EXPECT_EQ(tell(MessageType::Closing, Status::Gone), Task::DropOffer);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
}

TEST_F(Connecting, AnOfferThatCannotBeMappedIsClosedAndReleased) {
  grant();
  (void)send_due();
  (void)reply(Status::Ok, kSession);
  ASSERT_EQ(tell(MessageType::Offer), Task::MapOffer);
  connection_.mapped(false);
  EXPECT_EQ(send_due(), std::vector{MessageType::Close});
  EXPECT_EQ(tell(MessageType::Offer), Task::None) << "it is being closed";
  EXPECT_EQ(tell(MessageType::Closing, Status::IoError), Task::DropOffer);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
}

TEST_F(Connecting, ADeadDriversNextLifeIsConnectedTo) {
  grant();
  connect();
  EXPECT_EQ(revoke(), Task::TellEnding);
  EXPECT_EQ(connection_.failure(), Status::Gone);
  EXPECT_EQ(tell(MessageType::Closing, Status::Gone), Task::None) << "told already";
  grant({4, 1});
  EXPECT_TRUE(send_due().empty()) << "the owner still holds the old session";
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  now_ += DeviceConnection::kLongestDelay;
  connect({8, 1});
  EXPECT_EQ(last_.type, MessageType::Mapped);
}

TEST_F(Connecting, WithoutANewGrantADeadDriverIsWaitedFor) {
  grant();
  connect();
  (void)revoke();
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(connection_.state(), State::NoGrant);
  EXPECT_TRUE(connection_.idle());
  now_ += seconds(100);
  EXPECT_TRUE(send_due().empty());
}

TEST_F(Connecting, AnOldGrantsRevocationDoesNotTouchTheNewOne) {
  grant();
  grant({3, 2});
  EXPECT_EQ(revoke(kGrant), Task::None);
  (void)send_due();
  EXPECT_EQ(last_.subject, (Handle{3, 2}));
}

TEST_F(Connecting, EndTellsTheDriverWhyAndConnectsAgain) {
  grant();
  connect();
  connection_.end(Status::Broken);
  EXPECT_LE(until_deadline(), seconds(0));
  ASSERT_EQ(send_due(), std::vector{MessageType::Close});
  EXPECT_EQ(last_.status, Status::Broken);
  connection_.end(Status::Broken);
  EXPECT_TRUE(send_due().empty()) << "asked once";
  EXPECT_EQ(tell(MessageType::Closing, Status::Broken), Task::TellEnding);
  connection_.released(now_);
  (void)send_due();
  now_ += DeviceConnection::kLongestDelay;
  connect({7, 2});
}

TEST_F(Connecting, StopEndsTheSessionForGood) {
  grant();
  connect();
  connection_.stop();
  EXPECT_EQ(send_due(), std::vector{MessageType::Close});
  EXPECT_FALSE(connection_.idle());
  (void)tell(MessageType::Closing);
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_TRUE(connection_.idle());
  (void)tell(MessageType::Closed);
  now_ += seconds(100);
  EXPECT_TRUE(send_due().empty());
  EXPECT_FALSE(connection_.deadline());
}

TEST_F(Connecting, StopCatchesASessionThatIsStillBeingMade) {
  grant();
  (void)send_due();
  connection_.stop();
  EXPECT_FALSE(connection_.idle());
  (void)reply(Status::Ok, kSession);
  EXPECT_EQ(send_due(), std::vector{MessageType::Close});
  EXPECT_EQ(tell(MessageType::Closed), Task::DropOffer);
  EXPECT_TRUE(connection_.idle());
}

TEST_F(Connecting, StopBetweenOfferAndMappedSendsNoMapped) {
  grant();
  (void)send_due();
  (void)reply(Status::Ok, kSession);
  (void)tell(MessageType::Offer);
  connection_.mapped(true);
  connection_.stop();
  EXPECT_EQ(send_due(), std::vector{MessageType::Close});
}

TEST_F(Connecting, WordsAboutOtherSessionsAndOldGenerationsChangeNothing) {
  grant();
  connect();
  for (const Handle other : {Handle{7, 2}, Handle{8, 1}, Handle{}}) {
    for (const MessageType type :
         {MessageType::Offer, MessageType::Connected, MessageType::Closing, MessageType::Closed}) {
      EXPECT_EQ(tell(type, Status::Gone, other), Task::None);
    }
    EXPECT_EQ(revoke(other), Task::None);
  }
  EXPECT_EQ(reply(Status::Gone), Task::None);
  EXPECT_EQ(tell(MessageType::Offer), Task::None);
  EXPECT_EQ(tell(MessageType::Connected), Task::None);
  EXPECT_EQ(tell(MessageType::Kill), Task::None);
  EXPECT_EQ(tell(static_cast<MessageType>(999)), Task::None);
  EXPECT_EQ(connection_.state(), State::Connected);
}

// Whatever comes in whatever order: what the owner holds is handed over once and asked back once.
TEST_F(Connecting, NoOrderOfMessagesHandsASessionOverTwiceOrForgetsIt) {
  std::mt19937 random(1);
  const auto below = [&random](std::uint32_t n) {
    return static_cast<std::uint32_t>(random() % n);
  };
  constexpr MessageType kTypes[] = {
      MessageType::Reply,   MessageType::Revoked, MessageType::Offer,   MessageType::Connected,
      MessageType::Closing, MessageType::Closed,  MessageType::Granted, MessageType::Kill};
  bool mapped = false;
  bool owned = false;
  bool asked_back = false;
  int handed_over = 0;
  for (int step = 0; step < 200'000; ++step) {
    now_ += milliseconds(below(200));
    (void)send_due();
    Message message =
        event(kTypes[below(8)], {below(2), 1}, below(4) == 0 ? Status::Busy : Status::Ok);
    message.tag = tag_ - below(2);
    if (message.type == MessageType::Granted) {
      grant(message.subject);
      continue;
    }
    switch (connection_.receive(message, now_)) {
      case Task::MapOffer:
        ASSERT_FALSE(mapped || owned);
        mapped = below(8) != 0;
        connection_.mapped(mapped);
        break;
      case Task::HandOver:
        ASSERT_TRUE(mapped && !owned);
        mapped = false;
        owned = true;
        ++handed_over;
        break;
      case Task::DropOffer:
        ASSERT_FALSE(owned);
        mapped = false;
        break;
      case Task::TellEnding:
        ASSERT_TRUE(owned && !asked_back);
        asked_back = true;
        break;
      case Task::TellFailed:
      case Task::None:
        break;
    }
    if (asked_back && below(3) == 0) {
      owned = asked_back = false;
      connection_.released(now_);
    }
    if (below(50) == 0) connection_.end(Status::Ok);
    if (!owned && connection_.idle()) {
      ASSERT_FALSE(mapped);
    }
  }
  EXPECT_GT(handed_over, 100);
}

}  // namespace
}  // namespace cede::frontend
