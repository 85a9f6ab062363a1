// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"

namespace cede::attack {
namespace {

// Two events each, which a queue of any sensible length has no room for.
constexpr int kGrants = 2'000;

// Events for a child that reads none of them. True: it was dropped.
bool drown(test::Domain& parent, const test::Domain& deaf, const test::Domain& driver) {
  for (int i = 0; i < kGrants; ++i) {
    const auto grant = try_grant(parent, deaf.handle(), driver.handle(), 1);
    if (!grant) return true;
    (void)parent.request(MessageType::RevokeGrant, *grant);
  }
  return false;
}

void run(Client& client) {
  test::Domain& self = client.broker();
  const auto driver = try_child(self, 0, "driver");
  while (driver) {
    const auto deaf = try_child(self, kSparePages, "deaf");
    if (!deaf) return client.stage().broke("the account of the dropped does not come back");
    if (!drown(self, *deaf, *driver)) {
      return client.stage().broke("events without end wait for somebody who does not read");
    }
    if (self.status_of(MessageType::Fund, deaf->handle()) == Status::Ok) {
      return client.stage().broke("the dropped lives on");
    }
  }
}

const Entry entry{{.name = "event-flood",
                   .family = "exhaustion",
                   .source = "XSA-326, CVE-2022-42311: memory of xenstored by watch events",
                   .does = "makes and takes back grants to children that never read",
                   .holds = "a child whose queue is full is dropped, and its account is back",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
