// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"

namespace cede::attack {
namespace {

constexpr std::array kEvents{MessageType::Granted, MessageType::Revoked,   MessageType::Offer,
                             MessageType::Closed,  MessageType::Connected, MessageType::Closing,
                             MessageType::Kill};

// A session's whole life. Each side takes in its own events, once each.
void live(test::Domain& parent, test::Domain& driver, test::Domain& tenant) {
  const Handle grant = parent.grant(tenant, driver, 1, "device");
  (void)tenant.await(MessageType::Granted, grant);
  const Geometry geometry = test::small_geometry();
  test::close_session(tenant, driver, test::connect_session(tenant, driver, grant, geometry));
  (void)parent.request(MessageType::RevokeGrant, grant);
  (void)tenant.await(MessageType::Revoked, grant);
}

// The same, but that the tenant is destroyed in the midst of it.
void die_young(test::Domain& parent, test::Domain& driver) {
  test::Domain tenant = parent.create_child(kSparePages / 4, "mortal");
  const Handle grant = parent.grant(tenant, driver, 1, "device");
  test::LiveSession session = test::connect_session(tenant, driver, grant, test::small_geometry());
  (void)parent.request(MessageType::DestroyDomain, tenant.handle());
  (void)driver.await(MessageType::Closing, session.handle);
  session.driver.let_go();
  session.client.let_go();
  (void)driver.request(MessageType::Release, session.handle);
  (void)driver.await(MessageType::Closed, session.handle);
}

// Is there an event that was none of its own?
bool overhears(test::Domain& domain) {
  (void)domain.request(MessageType::InspectDomain);  // whose answer comes behind all events
  return std::ranges::any_of(kEvents, [&](MessageType event) { return domain.has(event); });
}

void run(Client& client) {
  test::Domain& self = client.broker();
  test::Domain driver = self.create_child(0, "driver");
  test::Domain left = self.create_child(kSparePages / 4, "left");
  test::Domain right = self.create_child(kSparePages / 4, "right");
  while (true) {
    live(self, driver, left);
    live(self, driver, right);
    die_young(self, driver);
    for (test::Domain* listener : {&self, &driver, &left, &right}) {
      if (overhears(*listener)) {
        return client.stage().broke("somebody hears of what is none of its own");
      }
    }
  }
}

const Entry entry{
    {.name = "event-eavesdrop",
     .family = "exhaustion",
     .source = "XSA-115, CVE-2020-29480: watch events without a permission check",
     .does = "reads every event of its own, and of its children, while sessions come and go",
     .holds = "events come to the two sides of a session and to a grant's client, and to no other",
     .run = &run}};

}  // namespace
}  // namespace cede::attack
