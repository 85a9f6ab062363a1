// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"

namespace cede::attack {
namespace {

// More than a branch may have, and fewer than the account pays for where they are small.
constexpr std::uint32_t kFarTooMany = 96;
constexpr std::uint32_t kSmall = 4;  // pages
static_assert(kFarTooMany * kSmall < kSparePages / 2);

// How many sessions there are before the broker refuses another one.
std::uint32_t fill(test::Domain& parent, test::Domain& driver, test::Domain& tenant,
                   std::uint32_t pages) {
  std::vector<test::LiveSession> sessions;
  while (sessions.size() < kFarTooMany) {
    const auto device = static_cast<std::uint32_t>(sessions.size());
    const auto grant = try_grant(parent, tenant.handle(), driver.handle(), device);
    if (!grant) break;
    try {
      sessions.push_back(
          test::connect_session(tenant, driver, *grant, test::small_geometry(pages)));
    } catch (const std::runtime_error&) {
      break;
    }
  }
  return static_cast<std::uint32_t>(sessions.size());
}

void run(Client& client) {
  test::Domain& self = client.broker();
  for (bool many = true;; many = !many) {
    auto driver = try_child(self, 0, "driver");
    auto tenant = try_child(self, kSparePages / 2, "tenant");
    if (driver && tenant) {
      // Small ones until there are too many of them, large ones until there is no page left.
      const std::uint32_t pages = many ? kSmall : 64;
      const std::uint32_t made = fill(self, *driver, *tenant, pages);
      if (made == kFarTooMany) {
        return client.stage().broke("one client can have far too many sessions");
      }
      if (made * pages > kSparePages / 2) {
        return client.stage().broke("sessions have more pages than the account");
      }
    }
    for (auto* domain : {&driver, &tenant}) {
      if (*domain) (void)self.request(MessageType::DestroyDomain, (*domain)->handle());
    }
  }
}

const Entry entry{{.name = "connect-until-refused",
                   .family = "exhaustion",
                   .source = "XSA-419, CVE-2022-42322: guests that fill xenstored together",
                   .does = "makes sessions between domains of its own until it is refused",
                   .holds = "account and branch quota bound them; others connect as before",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
