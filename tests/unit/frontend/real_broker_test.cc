// SPDX-License-Identifier: Apache-2.0
// The client's side whole, with the real broker between it and a driver in memory: connect, I/O,
// the revocation audit, the driver's death, replay on the next session, and a ledger that balances.
#include "tests/unit/frontend/real_broker.h"

#include <cstring>

#include "frontend/revocation_audit.h"

namespace cede::frontend {
namespace {

TEST_F(RealBroker, ASessionCarriesIoAndEveryPageComesHomeAfterIt) {
  Driver driver(root());
  connect(driver, vda_);
  EXPECT_EQ(root().account(domain_).pages, kClientPages - kGeometry.pages);
  const auto extent = vda_.device->allocate(4096);
  ASSERT_TRUE(extent);
  std::memset(vda_.device->bytes(*extent).data(), 0x33, 4096);
  ASSERT_EQ(vda_.device->submit({Kind::Write, 8, *extent, 1}), Status::Ok);
  EXPECT_EQ(complete_one(vda_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));

  client_.stop();
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  EXPECT_EQ(vda_.ending, Status::Ok);
  driver.backend->stop();
  EXPECT_EQ(driver.backend->disk()[8 * 512], std::byte{0x33});
  driver.let_go();
  let_go(vda_);
  expect_all_home();
  EXPECT_TRUE(client_.idle());
}

TEST_F(RealBroker, TheBrokersSealsRefuseEveryAttemptOfTheAudit) {
  Driver driver(root());
  connect(driver, vda_);
  const Result<RevocationAudit> audit = audit_revocation(vda_.device->session());
  ASSERT_TRUE(audit);
  EXPECT_TRUE(audit->passed()) << to_json_line("vda", *audit);
  const auto extent = vda_.device->allocate(512);
  ASSERT_TRUE(extent);
  ASSERT_EQ(vda_.device->submit({Kind::Read, 0, *extent, 1}), Status::Ok);
  EXPECT_EQ(complete_one(vda_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
}

TEST_F(RealBroker, WhatADeadDriverLeftUnansweredIsReplayedOnItsNextLife) {
  auto first = std::make_unique<Driver>(root());
  connect(*first, vda_);
  first->backend->stop();
  for (std::uint64_t cookie = 0; cookie < 4; ++cookie) {
    const auto extent = vda_.device->allocate(512);
    ASSERT_TRUE(extent);
    ASSERT_EQ(vda_.device->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
  }
  vda_.device->publish();
  ASSERT_EQ(root().status_of(MessageType::DestroyDomain, first->domain.handle()), Status::Ok);
  first.reset();
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  EXPECT_EQ(vda_.ending, Status::Gone);
  const std::vector<std::uint64_t> unanswered = vda_.device->unanswered();
  EXPECT_EQ(unanswered, (std::vector<std::uint64_t>{0, 1, 2, 3}));
  let_go(vda_);

  Driver second(root());
  connect(second, vda_);
  for (const std::uint64_t cookie : unanswered) {
    const auto extent = vda_.device->allocate(512);
    ASSERT_TRUE(extent);
    std::memset(vda_.device->bytes(*extent).data(), static_cast<int>(cookie) + 1, 512);
    ASSERT_EQ(vda_.device->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(complete_one(vda_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  }
  second.backend->stop();
  for (std::size_t sector = 0; sector < 4; ++sector) {
    EXPECT_EQ(second.backend->disk()[sector * 512], static_cast<std::byte>(sector + 1));
  }
}

TEST_F(RealBroker, ARefusedSessionIsAskedForAgainUntilItIsAccepted) {
  Driver driver(root());
  (void)root().grant(domain_, driver.domain, 0, "vda");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(service_until([&] { return driver.domain.has(MessageType::Offer); }));
    const Domain::Incoming offer = driver.domain.await(MessageType::Offer);
    EXPECT_EQ(driver.domain.status_of(MessageType::Refuse, offer.message.subject), Status::Ok);
  }
  ASSERT_TRUE(service_until([&] { return driver.domain.has(MessageType::Offer); }));
  driver.accept();
  ASSERT_TRUE(service_until([&] { return vda_.device.has_value(); }));
  EXPECT_EQ(std::count(vda_.failures.begin(), vda_.failures.end(), Status::Refused), 3);
}

TEST_F(RealBroker, AnAccountThatCannotPayIsToldSoUntilItCan) {
  Domain poor = root().create_child(kGeometry.pages - 1, "bob");
  Driver driver(root());
  SessionClient client(test::checked(::fcntl(poor.fd(), F_DUPFD_CLOEXEC, 0)), {{"", kGeometry}},
                       *this);
  (void)root().grant(poor, driver.domain, 0, "vdb");
  const auto service_until_failures = [&](std::size_t count) {
    return eventually([&] {
      EXPECT_EQ(client.service(std::chrono::steady_clock::now()), Status::Ok);
      return vda_.failures.size() >= count;
    });
  };
  ASSERT_TRUE(service_until_failures(2));
  EXPECT_EQ(vda_.failures[0], Status::Overdrawn);
  Message fund;
  fund.type = MessageType::Fund;
  fund.subject = poor.handle();
  fund.pages = 1;
  ASSERT_EQ(root().request(fund).message.status, Status::Ok);
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(client.service(std::chrono::steady_clock::now()), Status::Ok);
    return driver.domain.has(MessageType::Offer);
  }));
}

}  // namespace
}  // namespace cede::frontend
