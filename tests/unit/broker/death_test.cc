// SPDX-License-Identifier: Apache-2.0
// Domains that die, lie or hang, in each state of a session. Needs root.
#include <signal.h>

#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

// How far a session gets before somebody dies.
enum class Point {
  Requested,
  OfferedToDriver,
  OfferedToClient,
  Connected,
  Closing,
  ClientReleased,
  DriverReleased,
};
constexpr Point kPoints[] = {Point::Requested,     Point::OfferedToDriver, Point::OfferedToClient,
                             Point::Connected,     Point::Closing,         Point::ClientReleased,
                             Point::DriverReleased};

class DeathTest : public BrokerTest {
 protected:
  static constexpr std::uint32_t kPages = 256;

  // Takes a session as far as `point`; the sides hold what they would hold there.
  void reach(Point point) {
    const auto handle = client_->connect(grant_, small_geometry(kPages));
    ASSERT_TRUE(handle);
    session_.handle = *handle;
    if (point == Point::Requested) return;
    session_.driver = accept_offer(*driver_, *handle);
    if (point == Point::OfferedToDriver) return;
    ASSERT_EQ(driver_->status_of(MessageType::Mapped, *handle), Status::Ok);
    session_.client = accept_offer(*client_, *handle);
    if (point == Point::OfferedToClient) return;
    ASSERT_EQ(client_->status_of(MessageType::Mapped, *handle), Status::Ok);
    (void)client_->await(MessageType::Connected);
    (void)driver_->await(MessageType::Connected);
    if (point == Point::Connected) return;
    ASSERT_EQ(client_->status_of(MessageType::Close, *handle), Status::Ok);
    (void)client_->await(MessageType::Closing);
    (void)driver_->await(MessageType::Closing);
    if (point == Point::Closing) return;
    Domain& first = point == Point::ClientReleased ? *client_ : *driver_;
    (point == Point::ClientReleased ? session_.client : session_.driver).let_go();
    ASSERT_EQ(first.status_of(MessageType::Release, *handle), Status::Ok);
  }

  LiveSession session_;
};

TEST_P(DeathTest, OfTheClientInAnyStateBringsEveryPageHome) {
  for (const Point point : kPoints) {
    SCOPED_TRACE(static_cast<int>(point));
    ASSERT_NO_FATAL_FAILURE(reach(point));
    client_.reset();
    session_.client.let_go();
    // The driver does what it is told, if it is told anything.
    EXPECT_TRUE(point >= Point::Closing || eventually([&] {
                  return driver_->has(MessageType::Closing) || root().sessions() == 0;
                }));
    session_.driver.let_go();
    (void)driver_->request(MessageType::Release, session_.handle);
    EXPECT_TRUE(all_home());

    // The driver is none the worse for it: the next client is served.
    client_ = std::make_unique<Domain>(root().create_child(kClientPages, "next"));
    grant_ = root().grant(*client_, *driver_, 7, "next/vda");
    close_session(*client_, *driver_,
                  connect_session(*client_, *driver_, grant_, small_geometry(kPages)));
    while (driver_->has(MessageType::Closing)) (void)driver_->await(MessageType::Closing);
  }
}

TEST_P(DeathTest, OfTheDriverInAnyStateBringsEveryPageHome) {
  for (const Point point : kPoints) {
    SCOPED_TRACE(static_cast<int>(point));
    ASSERT_NO_FATAL_FAILURE(reach(point));
    driver_.reset();
    session_.driver.let_go();
    EXPECT_EQ(client_->await(MessageType::Revoked).message.subject, grant_);
    session_.client.let_go();
    (void)client_->request(MessageType::Release, session_.handle);
    EXPECT_TRUE(client_->await(MessageType::Closed, session_.handle).message.status !=
                Status::NoMemory);
    EXPECT_TRUE(all_home());
    EXPECT_EQ(root().account(*client_).pages, kClientPages);
    EXPECT_EQ(client_->connect(grant_, small_geometry(kPages)).status(), Status::Stale);

    // The driver's next life.
    driver_ = std::make_unique<Domain>(root().create_child(0, "disk"));
    grant_ = root().grant(*client_, *driver_, 7, "alice/vda");
    close_session(*client_, *driver_,
                  connect_session(*client_, *driver_, grant_, small_geometry(kPages)));
  }
}

TEST_P(DeathTest, ADriverThatRefusesLeavesNothingBehind) {
  const auto handle = client_->connect(grant_, small_geometry(kPages));
  ASSERT_TRUE(handle);
  SessionSide side = accept_offer(*driver_, *handle);
  side.let_go();
  Message refuse;
  refuse.type = MessageType::Refuse;
  refuse.subject = *handle;
  refuse.status = Status::NotSupported;
  EXPECT_EQ(driver_->request(refuse).message.status, Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closed, *handle).message.status, Status::NotSupported);
  EXPECT_TRUE(all_home());
}

TEST_P(DeathTest, ASilentDriverTimesTheConnectOut) {
  start({"--connect-deadline-ms", "100"});
  const auto handle = client_->connect(grant_, small_geometry(kPages));
  ASSERT_TRUE(handle);
  SessionSide side = accept_offer(*driver_, *handle);
  EXPECT_EQ(driver_->await(MessageType::Closing, *handle).message.status, Status::TimedOut);
  side.let_go();
  EXPECT_EQ(driver_->status_of(MessageType::Release, *handle), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closed, *handle).message.status, Status::TimedOut);
  EXPECT_TRUE(all_home());
}

TEST_P(DeathTest, ADriverThatNeverReleasesIsKilledAndThePagesComeHomeOnlyThen) {
  start({"--drain-deadline-ms", "200"});
  session_ = connect_session(*client_, *driver_, grant_, small_geometry(2048));
  // A process of its own, that does nothing more than to hold what it has.
  const pid_t process = ::fork();
  if (process == 0) {
    ::pause();
    ::_exit(0);
  }
  session_.driver.let_go();

  ASSERT_EQ(client_->status_of(MessageType::Close, session_.handle), Status::Ok);
  session_.client.let_go();
  ASSERT_EQ(client_->status_of(MessageType::Release, session_.handle), Status::Ok);
  EXPECT_EQ(root().await(MessageType::Kill).message.subject, driver_->handle());
  EXPECT_TRUE(driver_->closed());
  (void)client_->await(MessageType::Revoked, grant_);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(root().account(*client_).in_sessions, 2048U) << "home before the process had ended";
    ::usleep(10000);
  }

  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
  (void)root().request(MessageType::DestroyDomain, driver_->handle());
  (void)client_->await(MessageType::Closed, session_.handle);
  EXPECT_TRUE(all_home());
  EXPECT_EQ(root().account(*client_).pages, kClientPages);
}

TEST_P(DeathTest, DestroyingTheClientTakesNothingOutOfTheDriversHands) {
  session_ = connect_session(*client_, *driver_, grant_, small_geometry(2048));
  session_.driver.mapping.data()[4096] = std::byte{7};
  ASSERT_EQ(root().status_of(MessageType::DestroyDomain, client_->handle()), Status::Ok);
  EXPECT_TRUE(client_->closed());
  session_.client.let_go();
  (void)driver_->await(MessageType::Closing, session_.handle);
  EXPECT_EQ(root().sessions(), 1U);
  EXPECT_EQ(root().total(), kBudget);
  EXPECT_EQ(session_.driver.mapping.data()[4096], std::byte{7});
  session_.driver.let_go();
  ASSERT_EQ(driver_->status_of(MessageType::Release, session_.handle), Status::Ok);
  EXPECT_TRUE(all_home());
}

INSTANTIATE_TEST_SUITE_P(Both, DeathTest, testing::Values(Proof::Cgroup, Proof::Word), proof_name);

}  // namespace
}  // namespace cede::test
