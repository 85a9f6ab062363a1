// SPDX-License-Identifier: Apache-2.0
// The small systems that are explored whole. Each is as large as its question needs: a rule about
// two sessions shows with two.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "tests/model/explorer.h"

namespace cede::broker::model {

template <std::uint32_t domains, std::uint32_t grants, std::uint32_t sessions>
struct SmallLimits {
  static constexpr std::uint32_t kDomains = domains;
  static constexpr std::uint32_t kGrants = grants;
  static constexpr std::uint32_t kSessions = sessions;
  static constexpr std::uint32_t kBranchDomains = domains;
  static constexpr std::uint32_t kBranchGrants = grants;
  static constexpr std::uint32_t kBranchSessions = sessions;
};

// Builds the start of an exploration by the core's own steps.
template <class Limits>
class Builder {
 public:
  Builder(std::uint32_t budget, std::uint32_t connect_ms, std::uint32_t drain_ms) {
    world_.state = initial_state<Limits>(budget, connect_ms, drain_ms);
  }

  Handle domain(Handle parent, std::uint32_t pages) {
    return take({.kind = Action::Kind::CreateDomain, .actor = parent, .pages = pages});
  }
  Handle grant(Handle client, Handle driver, std::uint32_t device) {
    return take({.kind = Action::Kind::GrantDevice,
                 .actor = root(),
                 .subject = client,
                 .object = driver,
                 .device = device});
  }
  void connect(Handle client, Handle grant, Handle driver) {
    const Handle session =
        take({.kind = Action::Kind::Connect, .actor = client, .subject = grant, .pages = 1});
    take({.kind = Action::Kind::RegionMade, .subject = session});
    take({.kind = Action::Kind::Mapped, .actor = driver, .subject = session});
    take({.kind = Action::Kind::Mapped, .actor = client, .subject = session});
    take({.kind = Action::Kind::RegionSealed, .subject = session});
  }
  [[nodiscard]] Handle root() const { return root_handle(world_.state); }
  [[nodiscard]] const World<Limits>& world() const { return world_; }

 private:
  Handle take(const Action& action) {
    Effects<Limits> effects;
    const Outcome outcome = advance<Limits>(world_, {action}, &step<Limits>, effects);
    if (outcome.status != Status::Ok) throw std::logic_error("the setup itself is refused");
    return outcome.handle;
  }

  World<Limits> world_;
};

// Everything that two clients, a child of one of them and a driver can do to each other with two
// sessions, every handle that can be made up included.
using PeersLimits = SmallLimits<5, 3, 2>;

[[nodiscard]] inline Setup<PeersLimits> peers() {
  Builder<PeersLimits> build(5, 1, 1);
  const Handle driver = build.domain(build.root(), 1);
  const Handle alice = build.domain(build.root(), 3);
  const Handle bob = build.domain(build.root(), 1);
  const Handle child = build.domain(alice, 1);
  build.grant(alice, driver, 0);
  build.grant(bob, driver, 1);
  build.grant(child, driver, 2);
  return {.name = "peers",
          .start = build.world(),
          .alphabet = {.connect_pages = {1, 3}, .give_pages = {}, .devices = {}},
          .domain_names = {"root", "driver", "alice", "bob", "alice's child"}};
}

// Three clients that are connected, and every order in which it can end.
using PartingLimits = SmallLimits<5, 3, 3>;

[[nodiscard]] inline Setup<PartingLimits> parting() {
  Builder<PartingLimits> build(4, 1, 2);
  const Handle driver = build.domain(build.root(), 0);
  const Handle alice = build.domain(build.root(), 2);
  const Handle bob = build.domain(build.root(), 1);
  const Handle child = build.domain(alice, 1);
  for (const Handle client : {alice, bob, child}) {
    build.connect(client, build.grant(client, driver, client.index), driver);
  }
  return {.name = "parting",
          .start = build.world(),
          .alphabet = {.connect_pages = {}, .give_pages = {}, .devices = {}},
          .domain_names = {"root", "driver", "alice", "bob", "alice's child"}};
}

// Trees that grow and die while there is a session: who may create, fund, grant and destroy, in
// every shape that four domains can have.
using GroveLimits = SmallLimits<4, 1, 1>;

[[nodiscard]] inline Setup<GroveLimits> grove() {
  Builder<GroveLimits> build(2, 1, 1);
  return {.name = "grove",
          .start = build.world(),
          .alphabet = {.connect_pages = {1}, .give_pages = {0, 1, 3}, .devices = {0}},
          .domain_names = {"root", "domain 1", "domain 2", "domain 3"}};
}

}  // namespace cede::broker::model
