// SPDX-License-Identifier: Apache-2.0
// The tree of domains: who may do what to whom, the quotas, and the static seal.
#include "tests/unit/broker_core/broker_core_fixture.h"

namespace cede::broker::test {
namespace {

using E = Effect::Kind;

TEST_F(BrokerCore, AChildsPagesComeOutOfItsParentsAccount) {
  const Handle child = create(alice, 30);
  EXPECT_EQ(row(alice).account, 70U);
  EXPECT_EQ(row(child).account, 30U);
  EXPECT_EQ(fund(alice, child, 20), Status::Ok);
  EXPECT_EQ(row(alice).account, 50U);
  EXPECT_EQ(row(child).given, 50U);
  EXPECT_EQ(try_create(alice, 51).status, Status::Overdrawn);
  EXPECT_EQ(try_create(alice, 0xffffffff).status, Status::Overdrawn);
  EXPECT_EQ(fund(alice, child, 51), Status::Overdrawn);
  EXPECT_EQ(try_create(alice, 0).status, Status::Ok) << "a child may have nothing";
}

TEST_F(BrokerCore, OnlyTheParentFunds) {
  const Handle child = create(alice, 0);
  const Handle grandchild = create(child, 0);
  EXPECT_EQ(fund(bob, child, 1), Status::NotPermitted);
  EXPECT_EQ(fund(alice, grandchild, 1), Status::NotPermitted);
  EXPECT_EQ(fund(alice, alice, 1), Status::NotPermitted);
  EXPECT_EQ(fund(root, root, 1), Status::NotPermitted);
  EXPECT_EQ(fund(alice, child, 0), Status::Invalid);
  EXPECT_EQ(fund(alice, {child.index, child.generation + 1}, 1), Status::Stale);
  EXPECT_EQ(fund(alice, {Limits::kDomains, 1}, 1), Status::Stale);
}

TEST_F(BrokerCore, OnlyAnAncestorDestroys) {
  const Handle child = create(alice, 0);
  EXPECT_EQ(ask(bob, Kind::DestroyDomain, child), Status::NotPermitted);
  EXPECT_EQ(ask(child, Kind::DestroyDomain, child), Status::NotPermitted);
  EXPECT_EQ(ask(child, Kind::DestroyDomain, alice), Status::NotPermitted);
  EXPECT_EQ(ask(alice, Kind::DestroyDomain, root), Status::NotPermitted);
  EXPECT_EQ(ask(root, Kind::DestroyDomain, root), Status::NotPermitted);
  EXPECT_EQ(ask(root, Kind::DestroyDomain, child), Status::Ok);
  EXPECT_EQ(ask(root, Kind::DestroyDomain, child), Status::Stale);
}

TEST_F(BrokerCore, TheDyingAreNeitherListenedToNorGivenAnything) {
  const Handle session = connected(alice, alices_disk);
  dies(alice);
  ASSERT_TRUE(row(alice).used());
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::Gone);
  EXPECT_EQ(try_create(alice, 0).status, Status::Gone);
  EXPECT_EQ(fund(root, alice, 1), Status::Gone);
  EXPECT_EQ(ask(root, Kind::DestroyDomain, alice), Status::Gone);
  EXPECT_EQ(try_grant(root, alice, driver, 5).status, Status::Gone);
  EXPECT_EQ(try_grant(root, bob, alice, 5).status, Status::Gone);
}

TEST_F(BrokerCore, DevicesAreGrantedFromAboveBothSides) {
  const Handle child = create(alice, 0);
  const Handle childs_driver = create(alice, 0);
  EXPECT_EQ(try_grant(alice, child, childs_driver, 0).status, Status::Ok);
  EXPECT_EQ(told(child, E::TellGranted), 1);
  EXPECT_EQ(try_grant(alice, child, driver, 0).status, Status::NotPermitted);
  EXPECT_EQ(try_grant(alice, bob, childs_driver, 0).status, Status::NotPermitted);
  EXPECT_EQ(try_grant(alice, alice, childs_driver, 0).status, Status::NotPermitted);
  EXPECT_EQ(try_grant(alice, child, alice, 0).status, Status::NotPermitted);
  EXPECT_EQ(try_grant(root, alice, root, 0).status, Status::NotPermitted);
  EXPECT_EQ(try_grant(root, alice, alice, 0).status, Status::Invalid);
  EXPECT_EQ(try_grant(root, {9, 9}, driver, 0).status, Status::Stale);
}

TEST_F(BrokerCore, ADriverMayBeAClientToo) {
  const Handle switch_domain = create(root, 8);
  const Handle session = connected(driver, grant(driver, switch_domain, 0), 8);
  EXPECT_EQ(row(driver).lent, 8U);
  EXPECT_EQ(state_of(session), SessionState::Connected);
}

TEST_F(BrokerCore, AnAncestorOfTheClientClosesItsSession) {
  const Handle child = create(alice, 16);
  const Handle session = connected(child, grant(child, driver, 2));
  EXPECT_EQ(ask(bob, Kind::Close, session), Status::NotPermitted);
  EXPECT_EQ(ask(alice, Kind::Close, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
}

TEST_F(BrokerCore, OneBranchCannotFillTheTablesForOthers) {
  for (std::uint32_t i = 1; i < Limits::kBranchDomains; ++i) create(alice, 0);
  EXPECT_EQ(try_create(alice, 0).status, Status::Full);
  const Handle child = {alice.index + 2, 1};
  EXPECT_EQ(try_create(child, 0).status, Status::Full) << "nor by its children";
  EXPECT_EQ(try_create(bob, 0).status, Status::Ok);

  const Handle other = {child.index + 1, 1};
  while (try_grant(alice, child, other, 0).status == Status::Ok) {
  }
  EXPECT_EQ(try_grant(alice, other, child, 0).status, Status::Full);
  EXPECT_EQ(try_grant(root, alice, driver, 7).status, Status::Ok) << "the root may";
  EXPECT_EQ(std::ranges::count_if(state().grants, &GrantRow::used), Limits::kBranchGrants + 2);
}

TEST_F(BrokerCore, OneBranchCannotFillTheSessionTable) {
  std::uint32_t device = 100;
  for (std::uint32_t i = 0; i < Limits::kBranchSessions; ++i) {
    requested(alice, grant(alice, driver, device++), 1);
  }
  EXPECT_EQ(try_connect(alice, grant(alice, driver, device), 1).status, Status::Full);
  EXPECT_EQ(try_connect(bob, bobs_disk, 1).status, Status::Ok);
}

TEST_F(BrokerCore, FullTablesRefuseTheRootAsWell) {
  while (try_create(root, 0).status == Status::Ok) {
  }
  EXPECT_EQ(try_create(root, 0).status, Status::Full);
  EXPECT_EQ(std::ranges::count_if(state().domains, &DomainRow::used), Limits::kDomains);
}

TEST_F(BrokerCore, TheEffectsOfTheLargestDeathFit) {
  std::vector<Handle> clients;
  for (std::uint32_t i = 0; i < 16; ++i) clients.push_back(create(root, 32));
  for (const Handle client : clients) {
    for (std::uint32_t i = 0; i < 31; ++i) {
      connected(client, grant(client, driver, client.index * 100 + i), 1);
    }
  }
  EXPECT_EQ(ask(root, Kind::DestroyDomain, driver), Status::Ok);
  EXPECT_EQ(effects().size(), 16U * 31U * 3U + 2U + 1U);
}

TEST_F(BrokerCore, OnlyTheRootSeals) {
  EXPECT_EQ(ask(alice, Kind::SealSystem, {}), Status::NotPermitted);
  EXPECT_EQ(ask(root, Kind::SealSystem, {}), Status::Ok);
}

TEST_F(BrokerCore, NothingBeginsInASealedSystem) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(ask(root, Kind::SealSystem, {}), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Connected) << "what is connected goes on";
  EXPECT_EQ(try_create(root, 0).status, Status::Sealed);
  EXPECT_EQ(fund(root, alice, 1), Status::Sealed);
  EXPECT_EQ(try_grant(root, alice, driver, 9).status, Status::Sealed);
  EXPECT_EQ(try_connect(bob, bobs_disk, 16).status, Status::Sealed);
  EXPECT_EQ(ask(root, Kind::SealSystem, {}), Status::Ok);
}

TEST_F(BrokerCore, ASealedSystemStillBringsPagesHome) {
  const Handle session = connected(alice, alices_disk);
  ask(root, Kind::SealSystem, {});
  EXPECT_EQ(ask(alice, Kind::Close, session), Status::Ok);
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Ok);
  EXPECT_EQ(proven(session), Status::Ok);
  EXPECT_EQ(row(alice).account, 100U);
  EXPECT_EQ(try_connect(alice, alices_disk, 16).status, Status::Sealed) << "by design";
}

TEST_F(BrokerCore, AnUnknownKindOfActionIsInvalid) {
  EXPECT_EQ(ask(alice, static_cast<Kind>(200), {}), Status::Invalid);
}

}  // namespace
}  // namespace cede::broker::test
