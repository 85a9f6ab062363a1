// SPDX-License-Identifier: Apache-2.0
// Taking a grant back: who may, what becomes of the session, and what nobody else notices.
#include "tests/unit/broker_core/broker_core_fixture.h"

namespace cede::broker::test {
namespace {

using E = Effect::Kind;

TEST_F(BrokerCore, ARevokedGrantConnectsNothingAndItsNameIsStale) {
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  EXPECT_EQ(told(alice, E::TellRevoked), 1);
  EXPECT_EQ(effects().size(), 1U);
  EXPECT_EQ(try_connect(alice, alices_disk, 16).status, Status::Stale);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Stale);

  const Handle anew = grant(alice, driver, 0);
  EXPECT_EQ(anew.index, alices_disk.index);
  EXPECT_NE(anew.generation, alices_disk.generation);
  EXPECT_EQ(try_connect(alice, alices_disk, 16).status, Status::Stale);
  EXPECT_EQ(state_of(connected(alice, anew)), SessionState::Connected);
}

TEST_F(BrokerCore, OnlyWhoIsAboveBothSidesMayRevoke) {
  const Handle child = create(alice, 10);
  const Handle childs_disk = grant(child, driver, 2);
  const Handle childs_driver = create(alice, 0);
  const Handle below_alice = grant(child, childs_driver, 0);
  for (const Handle actor : {child, alice, bob, driver}) {
    EXPECT_EQ(ask(actor, Kind::RevokeGrant, childs_disk), Status::NotPermitted);
  }
  EXPECT_EQ(ask(child, Kind::RevokeGrant, below_alice), Status::NotPermitted);
  EXPECT_EQ(ask(alice, Kind::RevokeGrant, below_alice), Status::Ok) << "though the root gave it";
  EXPECT_EQ(ask(root, Kind::RevokeGrant, childs_disk), Status::Ok);
}

TEST_F(BrokerCore, RevokingClosesTheSessionAndLeavesItsPagesWithTheDriver) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk, Status::Refused), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
  EXPECT_EQ(told(driver, E::TellClosing, Status::Refused), 1);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Refused), 1);
  EXPECT_EQ(told(alice, E::TellRevoked), 1);
  EXPECT_EQ(row(alice).lent, 16U);
  EXPECT_EQ(proven(session), Status::WrongState);

  EXPECT_EQ(ask(alice, Kind::Release, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing) << "the driver has not let go";
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Ok);
  EXPECT_EQ(proven(session), Status::Ok);
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, ADriverThatKeepsARevokedSessionIsKilled) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  pass(kDrainMs);
  EXPECT_EQ(told(driver, E::Kill), 1);
  EXPECT_EQ(state_of(session), SessionState::Draining);
}

TEST_F(BrokerCore, RevokingLeavesTheClientsOtherDevicesAndOtherClientsAlone) {
  const Handle second_disk = grant(alice, driver, 2);
  const Handle first = connected(alice, alices_disk);
  const SessionRow second = session_row(connected(alice, second_disk));
  const SessionRow bobs = session_row(connected(bob, bobs_disk));
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  EXPECT_EQ(state_of(first), SessionState::Closing);
  EXPECT_EQ(std::ranges::count(state().sessions, second), 1);
  EXPECT_EQ(std::ranges::count(state().sessions, bobs), 1);
  EXPECT_EQ(told(bob, E::TellRevoked) + told(bob, E::TellClosing), 0);
}

TEST_F(BrokerCore, RevokingRollsBackWhatIsOnItsWay) {
  const Handle session = mapped_by_both(alice, alices_disk);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  EXPECT_EQ(shell(Kind::RegionSealed, session), Status::WrongState);
  EXPECT_EQ(row(alice).escrow, 16U) << "until the proof";
}

TEST_F(BrokerCore, AnotherClientsSessionOnTheDeviceIsNotClosed) {
  const Handle bobs_too = grant(bob, driver, 0);
  const Handle session = connected(bob, bobs_too);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Connected);
}

TEST_F(BrokerCore, AReasonThatIsNoneIsNotPassedOn) {
  connected(alice, alices_disk);
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk, static_cast<Status>(999)), Status::Ok);
  EXPECT_EQ(told(driver, E::TellClosing, Status::Broken), 1);
}

TEST_F(BrokerCore, ASealedSystemStillTakesGrantsBack) {
  const Handle session = connected(alice, alices_disk);
  ask(root, Kind::SealSystem, {});
  EXPECT_EQ(ask(root, Kind::RevokeGrant, alices_disk), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
}

}  // namespace
}  // namespace cede::broker::test
