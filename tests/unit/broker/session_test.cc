// SPDX-License-Identifier: Apache-2.0
// A session's life as the kernel and the ledger see it, without anybody misbehaving.
#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

using SessionTest = BrokerTest;

TEST_P(SessionTest, LedgerBalancesAtEveryStageOfConnectAndClose) {
  const Geometry geometry = small_geometry(256);
  const auto expect_account = [&](std::uint32_t pages, std::uint32_t escrow, std::uint32_t lent,
                                  const char* stage) {
    SCOPED_TRACE(stage);
    const LedgerRow row = root().account(*client_);
    EXPECT_EQ(row.pages, pages);
    EXPECT_EQ(row.in_escrow, escrow);
    EXPECT_EQ(row.in_sessions, lent);
    EXPECT_EQ(row.given, kClientPages);
    EXPECT_EQ(root().total(), kBudget);
  };
  expect_account(kClientPages, 0, 0, "before");

  LiveSession session = connect_until_client_maps(*client_, *driver_, grant_, geometry);
  expect_account(kClientPages - 256, 256, 0, "offered");

  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Connected, session.handle).message.info.bytes[0], 42);
  EXPECT_EQ(driver_->await(MessageType::Connected, session.handle).message.info.bytes[0], 0);
  expect_account(kClientPages - 256, 0, 256, "connected");

  // One region for both, rings formatted, doorbells that ring.
  session.client.mapping.data()[geometry.data_offset()] = std::byte{9};
  EXPECT_EQ(session.driver.mapping.data()[geometry.data_offset()], std::byte{9});
  EXPECT_EQ(::send(session.client.fds.kick.get(), "!", 1, MSG_DONTWAIT), 1);
  pollfd kicked{session.driver.fds.kick.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&kicked, 1, 1000), 1);
  EXPECT_EQ(::send(session.driver.fds.call.get(), "!", 1, MSG_DONTWAIT), 1);
  pollfd called{session.client.fds.call.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&called, 1, 1000), 1);

  const auto rows = root().inspect(MessageType::InspectSession);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].proof, GetParam() == Proof::Cgroup ? 1 : 2);
  EXPECT_EQ(rows[0].pages, 256U);
  EXPECT_EQ(rows[0].device, 7U);
  EXPECT_EQ(rows[0].state, static_cast<std::uint8_t>(SessionState::Connected));

  close_session(*client_, *driver_, std::move(session));
  expect_account(kClientPages, 0, 0, "closed");
  EXPECT_EQ(root().sessions(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Both, SessionTest, testing::Values(Proof::Cgroup, Proof::Word),
                         proof_name);

}  // namespace
}  // namespace cede::test
