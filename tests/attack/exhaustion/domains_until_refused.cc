// SPDX-License-Identifier: Apache-2.0
#include <deque>

#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"

namespace cede::attack {
namespace {

constexpr std::size_t kFarTooMany = 64;

void run(Client& client) {
  test::Domain& self = client.broker();
  for (bool deep = true;; deep = !deep) {
    std::deque<test::Domain> family;
    // A chain of heirs, each with all that there is, or a crowd of siblings with nothing.
    while (family.size() < kFarTooMany) {
      test::Domain& parent = deep && !family.empty() ? family.back() : self;
      auto child = try_child(parent, deep ? kSparePages : 0);
      if (!child) break;
      family.push_back(*std::move(child));
    }
    if (family.empty()) return client.stage().broke("its own quota does not come back");
    if (family.size() == kFarTooMany) return client.stage().broke("one client makes 64 domains");
    for (const test::Domain& child : family) {
      (void)self.request(MessageType::DestroyDomain, child.handle());
    }
  }
}

const Entry entry{{.name = "domains-until-refused",
                   .family = "exhaustion",
                   .source = "fork bombs",
                   .does = "makes domains until it is refused, and destroys them all",
                   .holds = "a branch has its share of the table; the rest is for others",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
