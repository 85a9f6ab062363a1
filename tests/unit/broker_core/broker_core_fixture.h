// SPDX-License-Identifier: Apache-2.0
// A broker's core with a root, a driver and two clients, and short words for what happens to it.
// Every step is held against the invariants as well.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "vmm/broker/core/invariants.h"
#include "vmm/broker/core/step.h"

namespace cede::broker::test {

using Kind = Action::Kind;
using Limits = ProductionLimits;

class BrokerCore : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kBudget = 1000;
  static constexpr std::uint32_t kConnectMs = 5000;
  static constexpr std::uint32_t kDrainMs = 10000;

  BrokerCore() {
    *state_ = initial_state<Limits>(kBudget, kConnectMs, kDrainMs);
    root = root_handle(*state_);
    driver = create(root, 10);
    alice = create(root, 100);
    bob = create(root, 50);
    alices_disk = grant(alice, driver, 0);
    bobs_disk = grant(bob, driver, 1);
  }

  Outcome act(const Action& action) {
    const State<Limits> before = *state_;
    const Outcome outcome = step(*state_, action, *effects_);
    EXPECT_TRUE(broken(before, action, *state_).none()) << broken(before, action, *state_);
    if (outcome.status != Status::Ok) {
      EXPECT_EQ(effects_->size(), 0U) << "a refused action has no effect";
      EXPECT_TRUE(before == *state_) << "a refused action changes nothing";
    }
    return outcome;
  }

  // --- what domains ask for
  Status ask(Handle actor, Kind kind, Handle subject, Status status = Status::Ok) {
    return act({.kind = kind, .status = status, .actor = actor, .subject = subject}).status;
  }
  Outcome try_create(Handle parent, std::uint32_t pages) {
    return act({.kind = Kind::CreateDomain, .actor = parent, .pages = pages});
  }
  Handle create(Handle parent, std::uint32_t pages) {
    const Outcome outcome = try_create(parent, pages);
    EXPECT_EQ(outcome.status, Status::Ok);
    return outcome.handle;
  }
  Status fund(Handle parent, Handle child, std::uint32_t pages) {
    return act({.kind = Kind::Fund, .actor = parent, .subject = child, .pages = pages}).status;
  }
  Outcome try_grant(Handle actor, Handle client, Handle backend, std::uint32_t device) {
    return act({.kind = Kind::GrantDevice,
                .actor = actor,
                .subject = client,
                .object = backend,
                .device = device});
  }
  Handle grant(Handle client, Handle backend, std::uint32_t device) {
    const Outcome outcome = try_grant(root, client, backend, device);
    EXPECT_EQ(outcome.status, Status::Ok);
    return outcome.handle;
  }
  Outcome try_connect(Handle client, Handle device, std::uint32_t pages) {
    return act({.kind = Kind::Connect, .actor = client, .subject = device, .pages = pages});
  }

  // --- sessions, up to a point of their life
  Handle requested(Handle client, Handle device, std::uint32_t pages = 16) {
    const Outcome outcome = try_connect(client, device, pages);
    EXPECT_EQ(outcome.status, Status::Ok);
    return outcome.handle;
  }
  Handle offered(Handle client, Handle device, std::uint32_t pages = 16) {
    const Handle session = requested(client, device, pages);
    EXPECT_EQ(shell(Kind::RegionMade, session), Status::Ok);
    return session;
  }
  Handle mapped_by_driver(Handle client, Handle device, std::uint32_t pages = 16) {
    const Handle session = offered(client, device, pages);
    EXPECT_EQ(ask(driver_of(session), Kind::Mapped, session), Status::Ok);
    return session;
  }
  Handle mapped_by_both(Handle client, Handle device, std::uint32_t pages = 16) {
    const Handle session = mapped_by_driver(client, device, pages);
    EXPECT_EQ(ask(client, Kind::Mapped, session), Status::Ok);
    return session;
  }
  Handle connected(Handle client, Handle device, std::uint32_t pages = 16) {
    const Handle session = mapped_by_both(client, device, pages);
    EXPECT_EQ(shell(Kind::RegionSealed, session), Status::Ok);
    return session;
  }

  // --- what the shell reports
  Status shell(Kind kind, Handle subject, Status status = Status::Ok) {
    return act({.kind = kind, .status = status, .subject = subject}).status;
  }
  Status dies(Handle domain) { return shell(Kind::DomainDied, domain); }
  Status proven(Handle session) { return shell(Kind::Proven, session); }
  void pass(std::uint32_t milliseconds) { act({.kind = Kind::Tick, .elapsed_ms = milliseconds}); }

  // --- what became of it
  [[nodiscard]] const DomainRow& row(Handle domain) const { return state_->domains[domain.index]; }
  [[nodiscard]] const SessionRow& session_row(Handle session) const {
    return state_->sessions[session.index];
  }
  [[nodiscard]] SessionState state_of(Handle session) const { return session_row(session).state; }
  [[nodiscard]] Handle driver_of(Handle session) const {
    return handle_at(state_->domains, session_row(session).driver.domain);
  }
  [[nodiscard]] State<Limits>& state() { return *state_; }

  // The last step's effects.
  [[nodiscard]] std::vector<Effect> effects() const { return {effects_->begin(), effects_->end()}; }
  [[nodiscard]] std::vector<Effect::Kind> kinds() const {
    std::vector<Effect::Kind> kinds;
    for (const Effect& effect : *effects_) kinds.push_back(effect.kind);
    return kinds;
  }
  // How often the last step told `domain` so. Kill and DropDomain: that it is killed or dropped.
  [[nodiscard]] long told(Handle domain, Effect::Kind kind) const {
    return std::ranges::count_if(*effects_, [&](const Effect& effect) {
      return effect.kind == kind && effect.domain == domain;
    });
  }
  [[nodiscard]] long told(Handle domain, Effect::Kind kind, Status status) const {
    return std::ranges::count_if(*effects_, [&](const Effect& effect) {
      return effect.kind == kind && effect.domain == domain && effect.status == status;
    });
  }

  Handle root;
  Handle driver;
  Handle alice;
  Handle bob;
  Handle alices_disk;
  Handle bobs_disk;

 private:
  std::unique_ptr<State<Limits>> state_ = std::make_unique<State<Limits>>();
  std::unique_ptr<Effects<Limits>> effects_ = std::make_unique<Effects<Limits>>();
};

}  // namespace cede::broker::test
