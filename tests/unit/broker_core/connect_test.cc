// SPDX-License-Identifier: Apache-2.0
// The way to Connected: page by page, and every way in which it is refused or rolled back.
#include "tests/unit/broker_core/broker_core_fixture.h"

namespace cede::broker::test {
namespace {

using E = Effect::Kind;

TEST_F(BrokerCore, PagesMoveFromAccountToEscrowToSessionAndHome) {
  const Handle session = requested(alice, alices_disk, 64);
  EXPECT_EQ(kinds(), std::vector{E::MakeRegion});
  EXPECT_EQ(row(alice).account, 36U);
  EXPECT_EQ(row(alice).escrow, 64U);

  shell(Kind::RegionMade, session);
  EXPECT_EQ(kinds(), std::vector{E::Offer});
  EXPECT_EQ(told(driver, E::Offer), 1) << "the driver maps first";
  ask(driver, Kind::Mapped, session);
  EXPECT_EQ(told(alice, E::Offer), 1);
  ask(alice, Kind::Mapped, session);
  EXPECT_EQ(kinds(), std::vector{E::SealRegion});
  EXPECT_EQ(row(alice).escrow, 64U) << "escrow until the seals are verified";

  shell(Kind::RegionSealed, session);
  EXPECT_EQ(state_of(session), SessionState::Connected);
  EXPECT_EQ(told(driver, E::TellConnected), 1);
  EXPECT_EQ(told(alice, E::TellConnected), 1);
  EXPECT_EQ(row(alice).escrow, 0U);
  EXPECT_EQ(row(alice).lent, 64U);
  pass(1'000'000);
  EXPECT_EQ(state_of(session), SessionState::Connected) << "no clock runs while it is in use";

  EXPECT_EQ(ask(alice, Kind::Close, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Closing);
  EXPECT_EQ(told(driver, E::TellClosing, Status::Ok), 1);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Ok), 1);
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Ok);
  EXPECT_EQ(kinds(), std::vector{E::LetGo});
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::Ok);
  EXPECT_EQ(row(alice).lent, 64U) << "not home before the proof";

  EXPECT_EQ(proven(session), Status::Ok);
  EXPECT_EQ(told(driver, E::TellClosed, Status::Ok), 1);
  EXPECT_EQ(told(alice, E::TellClosed, Status::Ok), 1);
  EXPECT_EQ(row(alice).account, 100U);
  EXPECT_EQ(row(driver).account, 10U) << "the driver's account pays for no client";
}

TEST_F(BrokerCore, ASessionOfAnySizeButAPowerOfTwoIsInvalid) {
  for (const std::uint32_t pages : {0U, 3U, 48U, Geometry::kMaxPages * 2, 0xffffffffU}) {
    EXPECT_EQ(try_connect(alice, alices_disk, pages).status, Status::Invalid) << pages;
  }
}

TEST_F(BrokerCore, AnAccountThatDoesNotHoldThePagesIsOverdrawn) {
  EXPECT_EQ(try_connect(alice, alices_disk, 128).status, Status::Overdrawn);
  EXPECT_EQ(try_connect(alice, alices_disk, 64).status, Status::Ok);
}

TEST_F(BrokerCore, OnlyTheGrantsOwnClientConnects) {
  EXPECT_EQ(try_connect(bob, alices_disk, 16).status, Status::NotPermitted);
  EXPECT_EQ(try_connect(driver, alices_disk, 16).status, Status::NotPermitted);
  EXPECT_EQ(try_connect(root, alices_disk, 16).status, Status::NotPermitted);
}

TEST_F(BrokerCore, AMadeUpGrantIsStale) {
  EXPECT_EQ(try_connect(alice, {0, 0}, 16).status, Status::Stale);
  EXPECT_EQ(try_connect(alice, {alices_disk.index, alices_disk.generation + 1}, 16).status,
            Status::Stale);
  EXPECT_EQ(try_connect(alice, {Limits::kGrants, 1}, 16).status, Status::Stale);
  EXPECT_EQ(try_connect(alice, {0xffffffff, 1}, 16).status, Status::Stale);
}

TEST_F(BrokerCore, ADeviceIsBusyUntilItsLastSessionIsClosed) {
  const Handle again = grant(bob, driver, 0);  // the same device, for another client
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(try_connect(alice, alices_disk, 16).status, Status::Busy);
  EXPECT_EQ(try_connect(bob, again, 16).status, Status::Busy);
  ask(alice, Kind::Close, session);
  EXPECT_EQ(try_connect(bob, again, 16).status, Status::Busy);
  ask(driver, Kind::Release, session);
  EXPECT_EQ(try_connect(bob, again, 16).status, Status::Busy);
  proven(session);
  EXPECT_EQ(try_connect(bob, again, 16).status, Status::Ok);
}

TEST_F(BrokerCore, NobodyActsOnASessionOfOthers) {
  const Handle session = mapped_by_driver(alice, alices_disk);
  const Handle stranger = create(bob, 0);
  for (const Handle actor : {bob, stranger}) {
    for (const Kind kind : {Kind::Mapped, Kind::Refuse, Kind::Close, Kind::Release}) {
      EXPECT_EQ(ask(actor, kind, session), Status::NotPermitted);
    }
  }
}

TEST_F(BrokerCore, ToADriverASessionExistsFromItsOfferOn) {
  const Handle session = requested(alice, alices_disk);
  for (const Kind kind : {Kind::Mapped, Kind::Refuse, Kind::Close, Kind::Release}) {
    EXPECT_EQ(ask(driver, kind, session), Status::NotPermitted);
  }
}

TEST_F(BrokerCore, NobodyMapsWhatItWasNotOffered) {
  const Handle session = offered(alice, alices_disk);
  EXPECT_EQ(ask(alice, Kind::Mapped, session), Status::WrongState);
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::WrongState);
  EXPECT_EQ(ask(driver, Kind::Mapped, session), Status::Ok);
  EXPECT_EQ(ask(driver, Kind::Mapped, session), Status::WrongState);
}

TEST_F(BrokerCore, OnlyTheDriverRefusesAndOnlyWhatItHasNotMapped) {
  const Handle session = offered(alice, alices_disk);
  EXPECT_EQ(ask(alice, Kind::Refuse, session), Status::NotPermitted);
  ask(driver, Kind::Mapped, session);
  EXPECT_EQ(ask(driver, Kind::Refuse, session), Status::WrongState);
}

TEST_F(BrokerCore, ARefusedSessionRollsBackWithTheDriversReason) {
  const Handle session = offered(alice, alices_disk);
  EXPECT_EQ(ask(driver, Kind::Refuse, session, Status::NotSupported), Status::Ok);
  EXPECT_EQ(kinds(), std::vector{E::LetGo}) << "the driver has nothing to let go of";
  EXPECT_EQ(row(alice).account, 84U);
  proven(session);
  EXPECT_EQ(told(alice, E::TellClosed, Status::NotSupported), 1);
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, APeersReasonIsPassedOnOnlyIfItIsOne) {
  Handle session = offered(alice, alices_disk);
  ask(driver, Kind::Refuse, session, static_cast<Status>(999));
  EXPECT_EQ(session_row(session).reason, Status::Broken);
  proven(session);
  session = offered(alice, alices_disk);
  ask(driver, Kind::Refuse, session, Status::Ok);
  EXPECT_EQ(session_row(session).reason, Status::Refused);
  proven(session);
  session = connected(alice, alices_disk);
  ask(driver, Kind::Close, session, Status::Broken);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Broken), 1);
}

// Where a session can be before it is connected.
enum class Before { Made, DriverMapped, ClientMapped, Sealed };

class Rollback : public BrokerCore, public ::testing::WithParamInterface<Before> {
 protected:
  Handle under_way() {
    switch (GetParam()) {
      case Before::Made:
        return requested(alice, alices_disk);
      case Before::DriverMapped:
        return offered(alice, alices_disk);
      case Before::ClientMapped:
        return mapped_by_driver(alice, alices_disk);
      case Before::Sealed:
        return mapped_by_both(alice, alices_disk);
    }
    return {};
  }
  [[nodiscard]] bool driver_has() const { return GetParam() != Before::Made; }
  [[nodiscard]] bool client_has() const { return GetParam() >= Before::ClientMapped; }

  // It drains, whoever has something and lives was told, and the proof brings every page home.
  void expect_rolled_back(Handle session, Status reason) {
    EXPECT_EQ(state_of(session), SessionState::Draining);
    EXPECT_EQ(std::ranges::count(kinds(), E::LetGo), 1);
    const bool driver_lives = row(driver).life == Life::Alive;
    const bool alice_lives = row(alice).life == Life::Alive;
    EXPECT_EQ(told(driver, E::TellClosing, reason), driver_has() && driver_lives ? 1 : 0);
    EXPECT_EQ(told(alice, E::TellClosing, reason), client_has() && alice_lives ? 1 : 0);
    EXPECT_EQ(row(alice).escrow, 16U);
    EXPECT_EQ(shell(Kind::RegionMade, session), Status::WrongState) << "too late";
    EXPECT_EQ(shell(Kind::RegionSealed, session), Status::WrongState) << "too late";

    EXPECT_EQ(proven(session), Status::Ok);
    EXPECT_EQ(state_of(session), SessionState::Closed);
    EXPECT_EQ(told(alice, E::TellClosed, reason), alice_lives ? 1 : 0);
    EXPECT_EQ(told(driver, E::TellClosed, reason), driver_has() && driver_lives ? 1 : 0);
    EXPECT_EQ(row(alice).account, alice_lives ? 100U : 0U);
    EXPECT_EQ(row(alice).escrow, 0U);
  }
};

TEST_P(Rollback, WhenTheClientCloses) {
  const Handle session = under_way();
  EXPECT_EQ(ask(alice, Kind::Close, session), Status::Ok);
  expect_rolled_back(session, Status::Ok);
}

TEST_P(Rollback, WhenAnAncestorOfTheClientCloses) {
  const Handle session = under_way();
  EXPECT_EQ(ask(root, Kind::Close, session), Status::Ok);
  expect_rolled_back(session, Status::Ok);
}

TEST_P(Rollback, WhenTheClientDies) {
  const Handle session = under_way();
  dies(alice);
  expect_rolled_back(session, Status::Gone);
  EXPECT_EQ(row(root).account, 1000U - 10U - 50U) << "its pages went to its parent";
}

TEST_P(Rollback, WhenTheDriverDies) {
  const Handle session = under_way();
  dies(driver);
  expect_rolled_back(session, Status::Gone);
}

TEST_P(Rollback, WhenTheDeadlinePasses) {
  const Handle session = under_way();
  pass(kConnectMs - 1);
  EXPECT_NE(state_of(session), SessionState::Draining);
  pass(1);
  expect_rolled_back(session, Status::TimedOut);
  EXPECT_EQ(row(driver).life, Life::Alive);
}

TEST_P(Rollback, WhenTheSystemIsSealed) {
  const Handle session = under_way();
  EXPECT_EQ(act({.kind = Kind::SealSystem, .actor = root}).status, Status::Ok);
  expect_rolled_back(session, Status::Sealed);
}

INSTANTIATE_TEST_SUITE_P(, Rollback,
                         ::testing::Values(Before::Made, Before::DriverMapped, Before::ClientMapped,
                                           Before::Sealed),
                         [](const auto& param) -> std::string {
                           switch (param.param) {
                             case Before::Made:
                               return "BeforeTheRegionIsMade";
                             case Before::DriverMapped:
                               return "BeforeTheDriverMapped";
                             case Before::ClientMapped:
                               return "BeforeTheClientMapped";
                             case Before::Sealed:
                               break;
                           }
                           return "BeforeTheRegionIsSealed";
                         });

TEST_F(BrokerCore, ARegionThatCannotBeMadeRollsBack) {
  const Handle session = requested(alice, alices_disk);
  shell(Kind::RegionMade, session, Status::NoMemory);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  proven(session);
  EXPECT_EQ(told(alice, E::TellClosed, Status::NoMemory), 1);
  EXPECT_EQ(told(driver, E::TellClosed), 0) << "it never heard of it";
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, ARegionThatCannotBeSealedRollsBack) {
  const Handle session = mapped_by_both(alice, alices_disk);
  shell(Kind::RegionSealed, session, Status::IoError);
  EXPECT_EQ(told(driver, E::TellClosing, Status::IoError), 1);
  EXPECT_EQ(told(alice, E::TellClosing, Status::IoError), 1);
  proven(session);
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, EitherSidesReleaseBeforeConnectedRollsBack) {
  Handle session = mapped_by_both(alice, alices_disk);
  EXPECT_EQ(ask(alice, Kind::Release, session), Status::Ok);
  EXPECT_EQ(state_of(session), SessionState::Draining);
  EXPECT_EQ(told(driver, E::TellClosing), 1);
  EXPECT_EQ(told(alice, E::TellClosing), 0) << "it has let go already";
  proven(session);
  session = mapped_by_both(alice, alices_disk);
  EXPECT_EQ(ask(driver, Kind::Release, session), Status::Ok);
  EXPECT_EQ(told(alice, E::TellClosing, Status::Gone), 1);
  proven(session);
  EXPECT_EQ(row(alice).account, 100U);
}

TEST_F(BrokerCore, TheShellsAnswersCountOnlyWhereTheyAreAwaited) {
  const Handle session = connected(alice, alices_disk);
  EXPECT_EQ(shell(Kind::RegionMade, session), Status::WrongState);
  EXPECT_EQ(shell(Kind::RegionSealed, session), Status::WrongState);
  EXPECT_EQ(proven(session), Status::WrongState);
}

}  // namespace
}  // namespace cede::broker::test
