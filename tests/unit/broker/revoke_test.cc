// SPDX-License-Identifier: Apache-2.0
// One device is taken away from a client with two.
#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

using RevokeTest = BrokerTest;

TEST_P(RevokeTest, OneDeviceGoesAndComesBackWhileTheOtherStays) {
  const Handle second = root().grant(*client_, *driver_, 8, "alice/vdb");
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(2048));
  LiveSession other = connect_session(*client_, *driver_, second, small_geometry(256));
  session.driver.mapping.data()[4096] = std::byte{7};

  ASSERT_EQ(root().status_of(MessageType::RevokeGrant, grant_), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closing).message.subject, session.handle);
  EXPECT_EQ(driver_->await(MessageType::Closing).message.subject, session.handle);
  EXPECT_EQ(client_->await(MessageType::Revoked).message.subject, grant_);
  EXPECT_EQ(client_->connect(grant_, small_geometry(256)).status(), Status::Stale);

  session.client.let_go();
  ASSERT_EQ(client_->status_of(MessageType::Release, session.handle), Status::Ok);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(root().account(*client_).in_sessions, 2048U + 256U) << "the driver holds it still";
    ::usleep(10000);
  }
  EXPECT_EQ(session.driver.mapping.data()[4096], std::byte{7});
  session.driver.let_go();
  ASSERT_EQ(driver_->status_of(MessageType::Release, session.handle), Status::Ok);
  (void)client_->await(MessageType::Closed, session.handle);
  EXPECT_EQ(root().account(*client_).pages, kClientPages - 256);

  const auto rows = root().inspect(MessageType::InspectSession);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ((Handle{rows[0].index, rows[0].generation}), other.handle);
  EXPECT_EQ(rows[0].state, static_cast<std::uint8_t>(SessionState::Connected));
  EXPECT_FALSE(client_->has(MessageType::Closing));
  EXPECT_FALSE(driver_->has(MessageType::Closing));

  close_session(
      *client_, *driver_,
      connect_session(*client_, *driver_, root().grant(*client_, *driver_, 7, "alice/vda"),
                      small_geometry(256)));
  close_session(*client_, *driver_, std::move(other));
  EXPECT_TRUE(all_home());
}

TEST_P(RevokeTest, NeitherSideNorAStrangerCanTakeAGrantBack) {
  Domain stranger = root().create_child(10, "stranger");
  for (Domain* domain : {client_.get(), driver_.get(), &stranger}) {
    EXPECT_EQ(domain->status_of(MessageType::RevokeGrant, grant_), Status::NotPermitted);
  }
  EXPECT_EQ(root().status_of(MessageType::RevokeGrant, {grant_.index, grant_.generation + 1}),
            Status::Stale);
  EXPECT_EQ(root().status_of(MessageType::RevokeGrant, {1U << 20, 1}), Status::Stale);
  close_session(*client_, *driver_,
                connect_session(*client_, *driver_, grant_, small_geometry(256)));
}

INSTANTIATE_TEST_SUITE_P(Both, RevokeTest, testing::Values(Proof::Cgroup, Proof::Word), proof_name);

}  // namespace
}  // namespace cede::test
