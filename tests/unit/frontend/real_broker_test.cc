// SPDX-License-Identifier: Apache-2.0
// The client's side whole, with the real broker between it and a driver in memory: connect, I/O,
// the revocation audit, the driver's death, replay on the next session, and a ledger that balances.
#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>
#include <map>
#include <memory>

#include "frontend/block/block_device.h"
#include "frontend/revocation_audit.h"
#include "frontend/session_client.h"
#include "tests/support/broker_process.h"
#include "tests/support/echo_backend.h"

namespace cede::frontend {
namespace {

using test::Domain;
using test::EchoBackend;
using Kind = Operation::Kind;

constexpr Geometry kGeometry{.pages = 256, .rings = 1, .slot_bytes = 32, .slots = 32};
constexpr std::uint32_t kBudget = 4096;
constexpr std::uint32_t kClientPages = 1024;
constexpr std::size_t kDiskBytes = 1U << 20;

// A driver domain with one disk: a domain of the broker, a backend once it was offered a session.
struct Driver {
  explicit Driver(Domain& root) : domain(root.create_child(0, "disk")) {}

  // Waits for the Offer, serves it, and says so.
  void accept() {
    Domain::Incoming offer = domain.await(MessageType::Offer);
    test::SessionParts parts;
    parts.geometry = offer.message.geometry;
    parts.driver = {std::move(offer.fds[0]), std::move(offer.fds[1]), std::move(offer.fds[2])};
    session = offer.message.subject;
    backend = std::make_unique<EchoBackend>(parts, std::vector<std::byte>(kDiskBytes));
    Message mapped;
    mapped.type = MessageType::Mapped;
    mapped.subject = session;
    mapped.info = test::to_device_info(backend->info());
    ASSERT_EQ(domain.request(mapped).message.status, Status::Ok);
  }
  void let_go() {
    backend.reset();
    (void)domain.request(MessageType::Release, session);
  }

  Domain domain;
  Handle session;
  std::unique_ptr<EchoBackend> backend;
};

class RealBroker : public testing::Test, public SessionObserver {
 protected:
  RealBroker()
      : broker_({.budget_pages = kBudget, .cgroup = cgroup_.path()}),
        domain_(root().create_child(kClientPages, "alice")),
        client_(test::checked(::fcntl(domain_.fd(), F_DUPFD_CLOEXEC, 0)),
                {{"vda", kGeometry, true}}, *this) {}

  void connected(std::size_t, Session session) override {
    auto device = BlockDevice::attach(std::move(session));
    ASSERT_TRUE(device);
    device_.emplace(*std::move(device));
  }
  void ending(std::size_t, Status reason) override { ending_ = reason; }
  void failed(std::size_t, Status reason) override { failures_.push_back(reason); }

  [[nodiscard]] Domain& root() { return broker_.root(); }
  [[nodiscard]] bool service_until(const std::function<bool()>& done) {
    return test::eventually([&] {
      EXPECT_EQ(client_.service(std::chrono::steady_clock::now()), Status::Ok);
      return done();
    });
  }
  void connect(Driver& driver) {
    (void)root().grant(domain_, driver.domain, 0, "vda");
    ASSERT_TRUE(service_until([&] { return driver.domain.has(MessageType::Offer); }));
    driver.accept();
    ASSERT_TRUE(service_until([&] { return device_.has_value(); }));
  }
  void let_go() {
    device_.reset();
    ending_.reset();
    client_.released(0, std::chrono::steady_clock::now());
  }
  void expect_all_home() {
    EXPECT_TRUE(service_until([&] { return root().sessions() == 0; }));
    EXPECT_EQ(root().account(domain_).pages, kClientPages);
    EXPECT_EQ(root().total(), kBudget);
  }
  Completion complete_one() {
    Completion done;
    device_->publish();
    while (device_->poll({&done, 1}) == 0) {
      if (device_->broken()) throw std::runtime_error("the device broke");
      if (!device_->arm()) continue;
      pollfd wait{device_->wait_fd(), POLLIN, 0};
      ::poll(&wait, 1, -1);
      device_->clear_wakeup();
    }
    return done;
  }

  test::TestCgroup cgroup_;  // none where this user may not make one: the broker takes our word
  test::BrokerProcess broker_;
  Domain domain_;
  SessionClient client_;
  std::optional<BlockDevice> device_;
  std::optional<Status> ending_;
  std::vector<Status> failures_;
};

TEST_F(RealBroker, ASessionCarriesIoAndEveryPageComesHomeAfterIt) {
  Driver driver(root());
  connect(driver);
  EXPECT_EQ(root().account(domain_).pages, kClientPages - kGeometry.pages);
  const auto extent = device_->allocate(4096);
  ASSERT_TRUE(extent);
  std::memset(device_->bytes(*extent).data(), 0x33, 4096);
  ASSERT_EQ(device_->submit({Kind::Write, 8, *extent, 1}), Status::Ok);
  EXPECT_EQ(complete_one().status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));

  client_.stop();
  ASSERT_TRUE(service_until([&] { return ending_.has_value(); }));
  EXPECT_EQ(ending_, Status::Ok);
  driver.backend->stop();
  EXPECT_EQ(driver.backend->disk()[8 * 512], std::byte{0x33});
  driver.let_go();
  let_go();
  expect_all_home();
  EXPECT_TRUE(client_.idle());
}

TEST_F(RealBroker, TheBrokersSealsRefuseEveryAttemptOfTheAudit) {
  Driver driver(root());
  connect(driver);
  const Result<RevocationAudit> audit = audit_revocation(device_->session());
  ASSERT_TRUE(audit);
  EXPECT_TRUE(audit->passed()) << to_json_line("vda", *audit);
  const auto extent = device_->allocate(512);
  ASSERT_TRUE(extent);
  ASSERT_EQ(device_->submit({Kind::Read, 0, *extent, 1}), Status::Ok);
  EXPECT_EQ(complete_one().status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
}

TEST_F(RealBroker, WhatADeadDriverLeftUnansweredIsReplayedOnItsNextLife) {
  auto first = std::make_unique<Driver>(root());
  connect(*first);
  first->backend->stop();
  for (std::uint64_t cookie = 0; cookie < 4; ++cookie) {
    const auto extent = device_->allocate(512);
    ASSERT_TRUE(extent);
    ASSERT_EQ(device_->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
  }
  device_->publish();
  ASSERT_EQ(root().status_of(MessageType::DestroyDomain, first->domain.handle()), Status::Ok);
  first.reset();
  ASSERT_TRUE(service_until([&] { return ending_.has_value(); }));
  EXPECT_EQ(ending_, Status::Gone);
  const std::vector<std::uint64_t> unanswered = device_->unanswered();
  EXPECT_EQ(unanswered, (std::vector<std::uint64_t>{0, 1, 2, 3}));
  let_go();

  Driver second(root());
  connect(second);
  for (const std::uint64_t cookie : unanswered) {
    const auto extent = device_->allocate(512);
    ASSERT_TRUE(extent);
    std::memset(device_->bytes(*extent).data(), static_cast<int>(cookie) + 1, 512);
    ASSERT_EQ(device_->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(complete_one().status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
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
  ASSERT_TRUE(service_until([&] { return device_.has_value(); }));
  EXPECT_EQ(std::count(failures_.begin(), failures_.end(), Status::Refused), 3);
}

TEST_F(RealBroker, AnAccountThatCannotPayIsToldSoUntilItCan) {
  Domain poor = root().create_child(kGeometry.pages - 1, "bob");
  Driver driver(root());
  SessionClient client(test::checked(::fcntl(poor.fd(), F_DUPFD_CLOEXEC, 0)), {{"", kGeometry}},
                       *this);
  (void)root().grant(poor, driver.domain, 0, "vdb");
  const auto service_until_failures = [&](std::size_t count) {
    return test::eventually([&] {
      EXPECT_EQ(client.service(std::chrono::steady_clock::now()), Status::Ok);
      return failures_.size() >= count;
    });
  };
  ASSERT_TRUE(service_until_failures(2));
  EXPECT_EQ(failures_[0], Status::Overdrawn);
  Message fund;
  fund.type = MessageType::Fund;
  fund.subject = poor.handle();
  fund.pages = 1;
  ASSERT_EQ(root().request(fund).message.status, Status::Ok);
  ASSERT_TRUE(test::eventually([&] {
    EXPECT_EQ(client.service(std::chrono::steady_clock::now()), Status::Ok);
    return driver.domain.has(MessageType::Offer);
  }));
}

}  // namespace
}  // namespace cede::frontend
