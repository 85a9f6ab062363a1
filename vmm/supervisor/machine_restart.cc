// SPDX-License-Identifier: Apache-2.0
// A driver's planned restart: it finishes what is on the disk and lets go, its process ends in good
// order, and the next life, of the program that is on the disk by then, takes over. Clients hold
// back what comes meanwhile.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {
namespace {

using Stage = PlannedRestart::Stage;
using Drain = PlannedRestart::Drain;

// Every look is a part of the clients' pause.
constexpr std::chrono::milliseconds kLook{2};

// From Draining on the driver holds nothing of a session, whatever its client does.
bool has_let_go(const std::vector<LedgerRow>& sessions, std::uint32_t driver) {
  return std::all_of(sessions.begin(), sessions.end(), [&](const LedgerRow& row) {
    return row.driver != driver || static_cast<SessionState>(row.state) == SessionState::Draining;
  });
}

bool is_connected(const LedgerRow* session) {
  return session != nullptr && static_cast<SessionState>(session->state) == SessionState::Connected;
}

}  // namespace

std::string Machine::restart(std::string_view name) {
  const auto found = std::find_if(drivers_.begin(), drivers_.end(),
                                  [&](const auto& driver) { return *driver->spec.name == name; });
  if (found == drivers_.end()) return fmt::format("there is no driver '{}'", name);
  DriverDomain& driver = **found;
  if (sealed_) return "the system is static: a driver that has ended could never come back";
  if (driver.restart.under_way()) return fmt::format("'{}' is being restarted already", name);
  if (!driver.domain.running()) {
    return fmt::format("'{}' does not run now, and is started again by itself", name);
  }
  const auto sessions = broker_->sessions();
  if (!sessions) return "the broker does not answer";

  spdlog::info("'{}' is restarted", name);
  const auto index = static_cast<std::size_t>(found - drivers_.begin());
  driver.restart = {.stage = Stage::Draining, .begun = PlannedRestart::Clock::now()};
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (link.plan.driver != index || !link.grant.valid()) continue;
    const LedgerRow* session = session_of(link, *sessions);
    if (is_connected(session)) driver.restart.links.push_back(i);
    (void)take_back(link);  // a grant that is stale is as good as taken back
  }
  go_on_with_restart(index);
  return {};
}

void Machine::go_on_with_restart(std::size_t index) {
  if (phase_ == Phase::Stopping) return;
  DriverDomain& driver = *drivers_[index];
  PlannedRestart& restart = driver.restart;
  const auto sessions = broker_->sessions();
  if (sessions && restart.stage == Stage::Draining &&
      has_let_go(*sessions, driver.domain.handle().index)) {
    restart.stage = Stage::Ending;
    driver.domain.dissolve(*broker_);
    return;  // until its process has ended
  }
  if (sessions && restart.stage == Stage::Returning && has_returned(restart, *sessions)) {
    restart.stage = Stage::Over;
    restart.pause = PlannedRestart::Clock::now() - restart.begun;
    spdlog::info("'{}' is back", driver.domain.name());
    return;
  }
  restart.look = loop_.after(kLook, [this, index] { go_on_with_restart(index); });
}

void Machine::restarted_life_ended(std::size_t index) {
  PlannedRestart& restart = drivers_[index]->restart;
  if (restart.stage == Stage::Draining && restart.drain == Drain::Complete) {
    restart.drain = Drain::Died;
  }
  restart.stage = Stage::Returning;
  go_on_with_restart(index);
}

bool Machine::has_returned(const PlannedRestart& restart,
                           const std::vector<LedgerRow>& sessions) const {
  return std::all_of(restart.links.begin(), restart.links.end(), [&](std::size_t i) {
    return !links_[i].wanted || is_connected(session_of(links_[i], sessions));
  });
}

}  // namespace cede::supervisor
