// SPDX-License-Identifier: Apache-2.0
// How a session comes about, ends, and is tried again.
#include <vector>

#include "tests/unit/frontend/connecting.h"

namespace cede::frontend {
namespace {

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

}  // namespace
}  // namespace cede::frontend
