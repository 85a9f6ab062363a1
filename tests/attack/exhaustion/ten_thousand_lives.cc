// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/attack.h"
#include "tests/attack/exhaustion/household.h"
#include "tests/support/eventually.h"

namespace cede::attack {
namespace {

constexpr int kLives = 10'000;

void run(Client& client) {
  test::Domain& self = client.broker();
  Handle last;
  for (int life = 0; life < kLives; ++life) {
    // Whoever was destroyed has given all back at once; the news of a closed socket takes a moment.
    std::optional<test::Domain> child;
    const auto born = [&] { return (child = try_child(self, kSparePages)).has_value(); };
    if (!born() && (life % 2 == 0 || !eventually(born))) {
      return client.stage().broke("pages are lost in life " + std::to_string(life));
    }
    if (child->handle() == last) return client.stage().broke("two lives have one handle");
    if (last.valid() && self.status_of(MessageType::DestroyDomain, last) == Status::Ok) {
      return client.stage().broke("the handle of an ended life works on");
    }
    last = child->handle();
    if (life % 2 != 0) (void)self.request(MessageType::DestroyDomain, last);
  }
  client.stage().note("ten thousand lives");
}

const Entry entry{{.name = "ten-thousand-lives",
                   .family = "exhaustion",
                   .source = "XSA-483, CVE-2026-23556: quota that is not back after a domain's end",
                   .does = "lives and dies with its full quota, again and again",
                   .holds = "after each death the full quota is there again",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
