// SPDX-License-Identifier: Apache-2.0
// A grant is taken back while its driver lives, and given anew.
#include <vector>

#include "tests/unit/frontend/connecting.h"

namespace cede::frontend {
namespace {

constexpr Handle kNextGrant{3, 2};
constexpr Handle kNextSession{7, 2};

// The device is gone; then it is granted anew, and connected.
class Taken : public Connecting {
 protected:
  void expect_gone() {
    EXPECT_EQ(connection_.state(), State::NoGrant);
    now_ += seconds(100);
    EXPECT_TRUE(send_due().empty());
  }
  void expect_back() {
    grant(kNextGrant);
    connect(kNextSession);
  }
};

TEST_F(Taken, ClosingThenRevoked) {
  grant();
  connect();
  ASSERT_EQ(tell(MessageType::Closing), Task::TellEnding);
  EXPECT_EQ(connection_.failure(), Status::Ok);
  EXPECT_EQ(revoke(), Task::None);
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  expect_gone();
  expect_back();
}

TEST_F(Taken, RevokedThenClosing) {
  grant();
  connect();
  ASSERT_EQ(revoke(), Task::TellEnding);
  EXPECT_EQ(tell(MessageType::Closing), Task::None) << "told already";
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  expect_gone();
  expect_back();
}

TEST_F(Taken, RevokedAndReleasedBeforeClosingComes) {
  grant();
  connect();
  (void)revoke();
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(tell(MessageType::Closing), Task::None);
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  expect_gone();
  expect_back();
}

TEST_F(Taken, GrantedAnewBeforeTheOwnerLetGo) {
  grant();
  connect();
  ASSERT_EQ(tell(MessageType::Closing), Task::TellEnding);
  (void)revoke();
  grant(kNextGrant);
  EXPECT_TRUE(send_due().empty()) << "the owner still holds the old session";
  connection_.released(now_);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  EXPECT_EQ(tell(MessageType::Closed), Task::None);
  now_ += DeviceConnection::kLongestDelay;
  connect(kNextSession);
}

TEST_F(Taken, WhileTheConnectIsUnderWay) {
  grant();
  EXPECT_EQ(send_due(), std::vector{MessageType::Connect});
  EXPECT_EQ(revoke(), Task::None);
  EXPECT_EQ(reply(Status::Stale), Task::TellFailed);
  expect_gone();
  expect_back();
}

TEST_F(Taken, WhileTheRegionIsMade) {
  grant();
  EXPECT_EQ(send_due(), std::vector{MessageType::Connect});
  (void)reply(Status::Ok, kSession);
  EXPECT_EQ(revoke(), Task::None);
  EXPECT_EQ(tell(MessageType::Closed), Task::DropOffer);
  expect_gone();
  expect_back();
}

TEST_F(Taken, WhileTheSealIsWaitedFor) {
  grant();
  EXPECT_EQ(send_due(), std::vector{MessageType::Connect});
  (void)reply(Status::Ok, kSession);
  (void)tell(MessageType::Offer);
  connection_.mapped(true);
  EXPECT_EQ(send_due(), std::vector{MessageType::Mapped});
  EXPECT_EQ(tell(MessageType::Closing), Task::DropOffer);
  EXPECT_EQ(revoke(), Task::None);
  EXPECT_EQ(send_due(), std::vector{MessageType::Release});
  expect_gone();
  expect_back();
}

}  // namespace
}  // namespace cede::frontend
