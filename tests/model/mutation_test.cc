// SPDX-License-Identifier: Apache-2.0
// The invariants are not vacuous: each defect that can be compiled into the core is found, by the
// invariants that it was made to break and no others, and the shortest way to it is printed.
#include <gtest/gtest.h>

#include <cstdio>
#include <initializer_list>
#include <string>

#include "tests/model/setups.h"
#include "tests/model/trace.h"

namespace cede::broker::model {
namespace {

struct Announced {
  std::initializer_list<Invariant> invariants;
  std::size_t moves;  // of the shortest way
};

template <Mutation kSeed, class Limits>
void expect_caught(const Setup<Limits>& setup, const Announced& announced) {
  const StepFunction<Limits> mutant = &step<Limits, kSeed>;
  const Exploration found = Explorer<Limits>(setup, mutant).run();
  std::printf("%s\n", Narrator<Limits>(setup).tell(found, mutant).c_str());

  Violations expected;
  for (const Invariant invariant : announced.invariants) {
    expected.set(static_cast<std::size_t>(invariant));
  }
  EXPECT_EQ(to_string(found.violations), to_string(expected));
  EXPECT_EQ(found.homeward_from, announced.moves);
}

// 1
TEST(Mutations, WhatTheDeadDidNotSpendIsLost) {
  expect_caught<Mutation::DeathLosesAccount>(peers(),
                                             {{Invariant::Conservation, Invariant::OneOwner}, 1});
}
// 2
TEST(Mutations, ConnectedPagesStayBookedAsEscrow) {
  expect_caught<Mutation::EscrowStaysOnConnect>(peers(), {{Invariant::OneOwner}, 5});
}
// 3
TEST(Mutations, TheClientsReleaseIsEnough) {
  expect_caught<Mutation::ClientReleaseSuffices>(peers(), {{Invariant::NoRevoke}, 6});
}
TEST(Mutations, DestroyingTheClientRevokes) {
  expect_caught<Mutation::DestructionRevokes>(peers(), {{Invariant::NoRevoke}, 6});
}
TEST(Mutations, RevokingAGrantRevokesItsPages) {
  expect_caught<Mutation::RevocationSeizes>(peers(), {{Invariant::NoRevoke}, 6});
}
// 4
TEST(Mutations, AnOverdueDriverIsNotKilled) {
  expect_caught<Mutation::DeadlineWithoutKill>(peers(), {{Invariant::BoundedReturn}, 5});
}
TEST(Mutations, ADriversWordIsBelievedForEver) {
  expect_caught<Mutation::DriverBelievedForEver>(peers(), {{Invariant::BoundedReturn}, 3});
}
// 5
TEST(Mutations, ARefusalLeavesPagesInEscrow) {
  expect_caught<Mutation::RefusalLeavesEscrow>(peers(), {{Invariant::AtomicConnect}, 3});
}
TEST(Mutations, AFailedSealConnects) {
  expect_caught<Mutation::FailedSealConnects>(peers(), {{Invariant::AtomicConnect}, 5});
}
// 6
TEST(Mutations, PagesAreReusedBeforeTheProof) {
  expect_caught<Mutation::PaidAtLetGo>(peers(), {{Invariant::NoReuseBeforeProof}, 2});
}
// 7
TEST(Mutations, OldHandlesWork) {
  expect_caught<Mutation::OldGenerationsWork>(peers(),
                                              {{Invariant::Generations, Invariant::Frame}, 1});
}
TEST(Mutations, ReusedRowsKeepTheirName) {
  expect_caught<Mutation::RowsKeepGeneration>(peers(), {{Invariant::Generations}, 1});
}
// 8
TEST(Mutations, TheDriverPaysForItsClients) {
  expect_caught<Mutation::DriverPays>(
      peers(), {{Invariant::OneOwner, Invariant::Quota, Invariant::Frame}, 1});
}
// 9
TEST(Mutations, StrangersCloseASession) {
  expect_caught<Mutation::AnyoneMayClose>(peers(), {{Invariant::Frame}, 2});
}
TEST(Mutations, StrangersRevokeAGrant) {
  expect_caught<Mutation::AnyoneMayRevoke>(peers(), {{Invariant::Frame}, 1});
}
TEST(Mutations, TheDeadAreObeyed) {
  expect_caught<Mutation::DeadMayAct>(peers(), {{Invariant::Frame}, 2});
}
TEST(Mutations, AnInnocentDriverIsKilled) {
  expect_caught<Mutation::DriverBlamedFirst>(peers(), {{Invariant::Frame}, 5});
}
// 10
TEST(Mutations, ASealedSystemConnects) {
  expect_caught<Mutation::SealForgetsConnect>(peers(), {{Invariant::StaticSeal}, 2});
}
TEST(Mutations, ASealedSystemFinishesConnecting) {
  expect_caught<Mutation::SealLetsFinish>(peers(), {{Invariant::StaticSeal}, 6});
}
// 11
TEST(Mutations, ADeviceIsSharedBySessions) {
  expect_caught<Mutation::DeviceShared>(peers(), {{Invariant::OneSessionADevice}, 2});
}
// 12
TEST(Mutations, ASessionOutlivesItsGrant) {
  expect_caught<Mutation::RevocationSpares>(peers(), {{Invariant::Granted}, 2});
}

}  // namespace
}  // namespace cede::broker::model
