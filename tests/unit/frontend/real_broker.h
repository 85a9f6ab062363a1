// SPDX-License-Identifier: Apache-2.0
// The client's side whole: the frontend library with the real broker between it and drivers that
// the test plays.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frontend/block/block_device.h"
#include "frontend/session_client.h"
#include "tests/support/broker_process.h"
#include "tests/support/echo_backend.h"

namespace cede::frontend {

using test::Domain;
using test::EchoBackend;
using Kind = Operation::Kind;

inline constexpr Geometry kGeometry{.pages = 256, .rings = 1, .slot_bytes = 32, .slots = 32};
inline constexpr std::uint32_t kBudget = 4096;
inline constexpr std::uint32_t kClientPages = 1024;
inline constexpr std::size_t kDiskBytes = 1U << 20;

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

// A client domain with the devices vda and vdb.
class RealBroker : public testing::Test, public SessionObserver {
 protected:
  struct Device {
    std::size_t index;
    const char* name;
    Handle grant{};
    std::optional<BlockDevice> device{};
    std::optional<Status> ending{};
    std::vector<Status> failures{};
  };

  explicit RealBroker(std::vector<std::string> brokers_options = {})
      : broker_({.budget_pages = kBudget,
                 .cgroup = cgroup_.path(),
                 .more = std::move(brokers_options)}),
        domain_(root().create_child(kClientPages, "alice")),
        client_(test::checked(::fcntl(domain_.fd(), F_DUPFD_CLOEXEC, 0)),
                {{"vda", kGeometry, true}, {"vdb", kGeometry, true}}, *this) {}

  void connected(std::size_t index, Session session) override {
    auto device = BlockDevice::attach(std::move(session));
    ASSERT_TRUE(device);
    of(index).device.emplace(*std::move(device));
  }
  void ending(std::size_t index, Status reason) override { of(index).ending = reason; }
  void failed(std::size_t index, Status reason) override { of(index).failures.push_back(reason); }

  [[nodiscard]] Device& of(std::size_t index) { return index == 0 ? vda_ : vdb_; }
  [[nodiscard]] Domain& root() { return broker_.root(); }
  [[nodiscard]] bool service_until(const std::function<bool()>& done) {
    return eventually([&] {
      EXPECT_EQ(client_.service(std::chrono::steady_clock::now()), Status::Ok);
      return done();
    });
  }
  // `driver` is anything with a domain and accept().
  void connect(auto& driver, Device& device) {
    device.grant =
        root().grant(domain_, driver.domain, static_cast<std::uint32_t>(device.index), device.name);
    ASSERT_TRUE(service_until([&] { return driver.domain.has(MessageType::Offer); }));
    driver.accept();
    ASSERT_TRUE(service_until([&] { return device.device.has_value(); }));
  }
  void let_go(Device& device) {
    device.device.reset();
    device.ending.reset();
    client_.released(device.index, std::chrono::steady_clock::now());
  }
  void expect_all_home() {
    EXPECT_TRUE(service_until([&] { return root().sessions() == 0; }));
    EXPECT_EQ(root().account(domain_).pages, kClientPages);
    EXPECT_EQ(root().total(), kBudget);
  }
  static Completion complete_one(Device& attached) {
    BlockDevice& device = *attached.device;
    Completion done;
    device.publish();
    while (device.poll({&done, 1}) == 0) {
      if (device.broken()) throw std::runtime_error("the device broke");
      if (!device.arm()) continue;
      pollfd wait{device.wait_fd(), POLLIN, 0};
      ::poll(&wait, 1, -1);
      device.clear_wakeup();
    }
    return done;
  }

  test::TestCgroup cgroup_;  // none where this user may not make one: the broker takes our word
  test::BrokerProcess broker_;
  Domain domain_;
  SessionClient client_;
  Device vda_{.index = 0, .name = "vda"};
  Device vdb_{.index = 1, .name = "vdb"};
};

}  // namespace cede::frontend
