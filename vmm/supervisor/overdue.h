// SPDX-License-Identifier: Apache-2.0
// Which sessions have been draining for too long. Broker and kernel do not say who holds their
// pages: the driver, which may have lied, or the client. The broker kills no living client, and no
// driver that gave its word while its client lives, so somebody else has to end the wait.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "protocols/control.h"

namespace cede::supervisor {

class OverdueSessions {
 public:
  using Clock = std::chrono::steady_clock;

  // Longer than the broker's patience with a driver, which is ten seconds.
  static constexpr std::chrono::seconds kLimit{15};

  // Those of `sessions` that have been seen draining for kLimit, each once.
  [[nodiscard]] std::vector<LedgerRow> look(const std::vector<LedgerRow>& sessions,
                                            Clock::time_point now) {
    std::vector<Seen> draining;
    std::vector<LedgerRow> overdue;
    for (const LedgerRow& row : sessions) {
      if (static_cast<SessionState>(row.state) != SessionState::Draining) continue;
      Seen seen{.session = {row.index, row.generation}, .since = now, .told = false};
      const auto before = std::ranges::find(seen_, seen.session, &Seen::session);
      if (before != seen_.end()) seen = *before;
      if (!seen.told && now - seen.since >= kLimit) {
        seen.told = true;
        overdue.push_back(row);
      }
      draining.push_back(seen);
    }
    seen_ = std::move(draining);
    return overdue;
  }

 private:
  struct Seen {
    Handle session;
    Clock::time_point since;
    bool told = false;
  };
  std::vector<Seen> seen_;
};

}  // namespace cede::supervisor
