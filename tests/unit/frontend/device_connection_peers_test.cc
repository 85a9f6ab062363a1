// SPDX-License-Identifier: Apache-2.0
// A connection whose driver dies, whose owner stops, and whose broker says anything in any order.
#include <random>
#include <vector>

#include "tests/unit/frontend/connecting.h"

namespace cede::frontend {
namespace {

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
