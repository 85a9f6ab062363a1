// SPDX-License-Identifier: Apache-2.0
// How sessions end: by either side, by death, by deadline; and where the pages go.
#include "tests/unit/broker_core/broker_core_fixture.h"

namespace cede::broker::test {
namespace {

using E = Effect::Kind;

TEST_F(BrokerCore, AClientThatLetsGoDoesNotTakeThePagesFromTheDriver) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing) << "the driver is asked first";
  EXPECT_EQ(told(driver, E::TellClosing, Status::Gone), 1);
  EXPECT_EQ(row(alice).lent, 16U);
}

TEST_F(BrokerCore, NoDonorAndNoAncestorTakesPagesFromADriver) {
  const Handle child = create(alice, 32);
  const Handle session = connected(child, grant(child, driver, 2));
  EXPECT_EQ(ask(alice, Kind::DestroyDomain, child), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
  EXPECT_EQ(dies(alice), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
  EXPECT_EQ(proven(session), Status::WrongState);
}

TEST_F(BrokerCore, ADriverThatReleasesUnaskedEndsTheSession) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Gone), 1);
}

TEST_F(BrokerCore, ASecondReleaseChangesNothing) {
  const Handle session = connected(alice, alices_disk);
  ask(alice, Kind::Release, session);
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::WrongState);
  ask(driver, Kind::Release, session);
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::WrongState);
}

TEST_F(BrokerCore, ASecondCloseChangesNothing) {
  const Handle session = connected(alice, alices_disk);
  ask(alice, Kind::Close, session);
  EXPECT_EQ(ask(driver, Kind::Close, session), Status::WrongState);
  ask(driver, Kind::Release, session);
  EXPECT_EQ(ask(alice, Kind::Close, session), Status::WrongState);
}

TEST_F(BrokerCore, AHandleOfAnEarlierSessionOnTheSameRowIsStale) {
  const Handle old = connected(alice, alices_disk);
  ask(driver, Kind::Release, old);
  EXPECT_EQ(proven(old), Status::Ok);
  EXPECT_EQ(proven(old), Status::Stale);
  const Handle session = connected(alice, alices_disk);
  ASSERT_EQ(session.index, old.index);
  EXPECT_NE(session.generation, old.generation);
  for (const Kind kind : {Kind::Mapped, Kind::Refuse, Kind::Close, Kind::Release}) {
    EXPECT_EQ(ask(alice, kind, old), Status::Stale);
    EXPECT_EQ(ask(driver, kind, old), Status::Stale);
  }
  for (const Kind kind : {Kind::RegionMade, Kind::RegionSealed, Kind::Proven}) {
    EXPECT_EQ(shell(kind, old), Status::Stale);
  }
  EXPECT_EQ(state_of(session), SessionState::Connected);
}

TEST_F(BrokerCore, AGenerationThatWrapsSkipsZero) {
  state().sessions[0].generation = 0xffffffff;
  EXPECT_EQ(requested(alice, alices_disk).generation, 1U);
}

TEST_F(BrokerCore, TheDriversDeathDrainsItsSessionsAndRevokesItsGrants) {
  const Handle in_use = connected(alice, alices_disk);
  const Handle closing = connected(bob, bobs_disk);
  ask(bob, Kind::Close, closing);
  EXPECT_EQ(dies(driver), Status::Ok);
  EXPECT_EQ(state_of(in_use), SessionState::Draining);
  EXPECT_EQ(state_of(closing), SessionState::Draining);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Gone), 1);
  EXPECT_EQ(told(bob, E::TellClosing), 0) << "it was told when it closed";
  EXPECT_EQ(told(alice, E::TellRevoked), 1);
  EXPECT_EQ(told(bob, E::TellRevoked), 1);
  EXPECT_EQ(told(driver, E::DropDomain), 1);
  EXPECT_EQ(try_connect(alice, alices_disk, 16).status, Status::Stale);

  proven(in_use);
  EXPECT_TRUE(row(driver).used()) << "a session still refers to it";
  proven(closing);
  EXPECT_FALSE(row(driver).used());
  EXPECT_EQ(row(alice).account, 100U);
  EXPECT_EQ(row(bob).account, 50U);
}

TEST_F(BrokerCore, ANewDriverIsNotBusyWithItsPredecessorsSessions) {
  const Handle old = connected(alice, alices_disk);
  dies(driver);
  driver = create(root, 0);
  const Handle session = connected(alice, grant(alice, driver, 0));
  EXPECT_EQ(state_of(old), SessionState::Draining);
  EXPECT_EQ(state_of(session), SessionState::Connected);
}

TEST_F(BrokerCore, ADeadChildsPagesGoToTheNearestLivingAncestor) {
  const Handle child = create(alice, 40);
  const Handle grandchild = create(child, 24);
  const Handle session = connected(grandchild, grant(grandchild, driver, 2), 16);
  const Handle childs = connected(child, grant(child, driver, 3), 8);

  EXPECT_EQ(ask(alice, Kind::DestroyDomain, child), Status::Ok);
  EXPECT_EQ(told(child, E::DropDomain), 1);
  EXPECT_EQ(told(grandchild, E::DropDomain), 1);
  EXPECT_EQ(row(alice).account, 60U + 8U + 8U) << "what neither had spent comes home at once";
  ask(driver, Kind::Release, session);
  proven(session);
  EXPECT_EQ(row(alice).account, 76U + 16U);
  EXPECT_FALSE(row(grandchild).used());
  EXPECT_TRUE(row(child).used()) << "its own session still refers to it";

  dies(alice);
  EXPECT_EQ(row(root).account, 840U + 92U);
  ask(driver, Kind::Release, childs);
  proven(childs);
  EXPECT_EQ(row(root).account, 840U + 100U) << "alice is dead by now";
  EXPECT_FALSE(row(child).used());
  EXPECT_FALSE(row(alice).used());
}

TEST_F(BrokerCore, TheRootsDeathBringsEveryPageToItsAccount) {
  const Handle child = create(alice, 40);
  const Handle one = connected(child, grant(child, driver, 2));
  const Handle other = connected(bob, bobs_disk);
  EXPECT_EQ(dies(root), Status::Ok);
  EXPECT_EQ(try_create(root, 0).status, Status::Gone);
  EXPECT_EQ(state_of(one), SessionState::Draining);
  proven(one);
  proven(other);
  EXPECT_EQ(row(root).account, kBudget);
  for (const Handle domain : {driver, alice, bob, child}) EXPECT_FALSE(row(domain).used());
}

TEST_F(BrokerCore, ADriverThatDoesNotDrainInTimeIsKilled) {
  const Handle session = connected(alice, alices_disk);
  const Handle other = connected(bob, bobs_disk);
  ask(alice, Kind::Close, session);
  pass(kDrainMs - 1);
  EXPECT_EQ(state_of(session), SessionState::Closing);
  pass(1);
  EXPECT_EQ(told(driver, E::Kill), 1);
  EXPECT_EQ(effects().front().subject, root) << "its parent is asked to do it";
  EXPECT_EQ(row(driver).life, Life::Killed);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  EXPECT_EQ(state_of(other), SessionState::Draining) << "the other clients reconnect to its heir";
  EXPECT_EQ(told(bob, E::TellClosing, Status::Gone), 1);
  EXPECT_EQ(told(bob, E::TellRevoked), 1);

  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Gone) << "it is not listened to";
  EXPECT_EQ(dies(driver), Status::Gone);
  proven(session);
  EXPECT_EQ(told(alice, E::TellClosed, Status::TimedOut), 1);
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, ADriverThatDoesNotLetGoOfARolledBackSessionIsKilled) {
  const Handle session = offered(alice, alices_disk);
  ask(alice, Kind::Close, session);
  pass(kDrainMs);
  EXPECT_EQ(told(driver, E::Kill), 1);
  EXPECT_EQ(state_of(session), SessionState::Draining);
}

TEST_F(BrokerCore, ALivingClientThatHoldsItsPagesHarmsNobodyElse) {
  const Handle session = connected(alice, alices_disk);
  ask(alice, Kind::Release, session);
  ask(driver, Kind::Release, session);
  for (int i = 0; i < 10; ++i) pass(kDrainMs);
  EXPECT_EQ(row(driver).life, Life::Alive) << "the driver kept its word as far as anybody knows";
  EXPECT_EQ(row(alice).life, Life::Alive);
  EXPECT_EQ(state_of(session), SessionState::Draining);
}

TEST_F(BrokerCore, WhatIsLeftOfADeadClientIsKilledBeforeItsDriverIsDoubted) {
  const Handle session = connected(alice, alices_disk);
  dies(alice);
  ask(driver, Kind::Release, session);
  pass(kDrainMs);
  EXPECT_EQ(told(alice, E::Kill), 1);
  EXPECT_EQ(row(driver).life, Life::Alive);
  pass(kDrainMs);
  EXPECT_EQ(told(driver, E::Kill), 1) << "nobody else can hold the pages";
  pass(kDrainMs);
  EXPECT_EQ(effects().size(), 0U) << "nobody is killed twice";
}

TEST_F(BrokerCore, TwoOverdueSessionsOfADeadClientDoNotCostTheDriverItsLife) {
  const Handle one = connected(alice, alices_disk);
  const Handle other = connected(alice, grant(alice, driver, 2));
  dies(alice);
  ask(driver, Kind::Release, one);
  ask(driver, Kind::Release, other);
  pass(0xffffffff);
  EXPECT_EQ(told(alice, E::Kill), 1);
  EXPECT_EQ(told(driver, E::Kill), 0);
  pass(kDrainMs - 1);
  EXPECT_EQ(told(driver, E::Kill), 0) << "the proof has its full time after the kill";
}

TEST_F(BrokerCore, ADriverThatLiedAboutASessionItsClientNeverHadIsKilled) {
  const Handle session = offered(alice, alices_disk);
  ask(driver, Kind::Refuse, session);
  pass(kDrainMs);
  EXPECT_EQ(told(driver, E::Kill), 1);
}

TEST_F(BrokerCore, TimeStopsAtADeadlineAndDoesNotWrap) {
  const Handle session = requested(alice, alices_disk);
  pass(0);
  EXPECT_EQ(session_row(session).deadline_ms, kConnectMs);
  pass(0xffffffff);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  EXPECT_EQ(session_row(session).deadline_ms, kDrainMs);
}

}  // namespace
}  // namespace cede::broker::test
