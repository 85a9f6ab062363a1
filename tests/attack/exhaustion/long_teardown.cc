// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <deque>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"

namespace cede::attack {
namespace {

// As many as there may be of both kinds, more or less.
constexpr std::uint32_t kSessions = 56;
constexpr std::uint32_t kTenants = 12;

void run(Client& client) {
  test::Domain& self = client.broker();
  test::Domain driver = self.create_child(0, "driver");
  std::deque<test::Domain> tenants;
  for (std::uint32_t i = 0; i < kTenants; ++i) {
    tenants.push_back(self.create_child(kSparePages / kTenants, "tenant"));
  }
  std::vector<test::LiveSession> sessions;
  for (std::uint32_t device = 0; device < kSessions; ++device) {
    test::Domain& tenant = tenants[device % kTenants];
    const Handle grant = self.grant(tenant, driver, device, "device");
    sessions.push_back(test::connect_session(tenant, driver, grant, test::small_geometry(16)));
  }
  ::_exit(0);
}

const Entry entry{
    {.name = "long-teardown",
     .family = "exhaustion",
     .source = "XSA-344 and XSA-380: a domain whose destruction takes long",
     .does = "dies with dozens of sessions and children at once",
     .holds = "the broker is done in a moment, and every page is home in bounded time",
     .fate = Fate::Either,
     .run = &run}};

}  // namespace
}  // namespace cede::attack
