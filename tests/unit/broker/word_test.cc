// SPDX-License-Identifier: Apache-2.0
// Without a memory cgroup: both sides' word, and the end of the region's file.
#include <signal.h>

#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

class WordTest : public BrokerTest {
 protected:
  // Looked at for as long as the broker needs for several looks of its own.
  void expect_not_home(std::uint32_t pages) {
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(root().account(*client_).pages, kClientPages - pages);
      ::usleep(10000);
    }
  }
};

TEST_P(WordTest, HonestSidesConnectAsOftenAsTheyLikeOnASmallAccount) {
  constexpr std::uint32_t kPages = 8192;  // more than a third of the account
  for (int i = 0; i < 20; ++i) {
    close_session(*client_, *driver_,
                  connect_session(*client_, *driver_, grant_, small_geometry(kPages)));
    ASSERT_EQ(root().account(*client_).pages, kClientPages);
  }
}

TEST_P(WordTest, OneSidesWordIsNotEnough) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(256));
  session.client.let_go();
  session.driver.let_go();
  ASSERT_EQ(client_->status_of(MessageType::Close, session.handle), Status::Ok);
  ASSERT_EQ(driver_->status_of(MessageType::Release, session.handle), Status::Ok);
  expect_not_home(256);
  ASSERT_EQ(client_->status_of(MessageType::Release, session.handle), Status::Ok);
  EXPECT_TRUE(all_home());
}

TEST_P(WordTest, AClientThatNeverReleasesHoldsNoMoreThanItsAccount) {
  std::vector<LiveSession> kept;
  Result<Handle> handle = Status::Invalid;
  // Each time another device, or it would be busy.
  for (std::uint32_t device = 100;; ++device) {
    const Handle grant = root().grant(*client_, *driver_, device, "alice/more");
    if (root().account(*client_).pages < 4096) {
      handle = client_->connect(grant, small_geometry(4096));
      break;
    }
    kept.push_back(connect_session(*client_, *driver_, grant, small_geometry(4096)));
    ASSERT_EQ(client_->status_of(MessageType::Close, kept.back().handle), Status::Ok);
    kept.back().driver.let_go();
    ASSERT_EQ(driver_->status_of(MessageType::Release, kept.back().handle), Status::Ok);
  }
  EXPECT_EQ(kept.size(), 4U);
  EXPECT_EQ(handle.status(), Status::Overdrawn);
  expect_not_home(4 * 4096);
  for (LiveSession& session : kept) {
    session.client.let_go();
    ASSERT_EQ(client_->status_of(MessageType::Release, session.handle), Status::Ok);
  }
  EXPECT_TRUE(all_home());
}

TEST_P(WordTest, AClientThatLiesIsNotBelieved) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(256));
  session.driver.let_go();
  session.client.fds = {};  // the mapping stays
  say_released(session.handle);
  expect_not_home(256);
  session.client.let_go();
  EXPECT_TRUE(all_home());
}

TEST_P(WordTest, ADriverThatLiesIsNotBelieved) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(256));
  session.client.let_go();
  session.driver.mapping.reset();  // the descriptor stays
  say_released(session.handle);
  expect_not_home(256);
  session.driver.let_go();
  EXPECT_TRUE(all_home());
}

TEST_P(WordTest, ADeadClientsAccompliceKeepsThePagesFromHome) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(256));
  const pid_t accomplice = ::fork();
  if (accomplice == 0) {
    ::close(client_->fd());  // the domain is to die all the same
    ::pause();
    ::_exit(0);
  }
  session.client.let_go();
  client_.reset();
  (void)driver_->await(MessageType::Closing, session.handle);
  session.driver.let_go();
  ASSERT_EQ(driver_->status_of(MessageType::Release, session.handle), Status::Ok);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(root().sessions(), 1U);
    ::usleep(10000);
  }
  ::kill(accomplice, SIGKILL);
  ::waitpid(accomplice, nullptr, 0);
  EXPECT_TRUE(all_home());
}

INSTANTIATE_TEST_SUITE_P(Fallback, WordTest, testing::Values(Proof::Word), proof_name);

}  // namespace
}  // namespace cede::test
