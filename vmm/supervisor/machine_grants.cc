// SPDX-License-Identifier: Apache-2.0
// Which client may connect to which device, and when.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {
namespace {

constexpr std::chrono::milliseconds kGrantRetry{20};
constexpr std::chrono::milliseconds kReturnLook{3'000};

// Does some row show this very life of a domain or session?
bool is_listed(const std::vector<LedgerRow>& rows, Handle handle) {
  return std::any_of(rows.begin(), rows.end(), [&](const LedgerRow& row) {
    return row.index == handle.index && row.generation == handle.generation;
  });
}

}  // namespace

std::string Machine::label(const Link& link) const {
  const Client& client = system_.clients[link.plan.client];
  return fmt::format("{}/{}", *client.name, *client.devices[link.plan.device].name);
}

// Gives each wanted link its grant, as soon as the driver is ready, the client lives and no session
// of an earlier driver's life is left on it. Until then that life's writes may still be on their
// way to the disk, and a client that replayed its own on a new session could be overtaken by them.
void Machine::grant_due() {
  bool again = false;
  for (Link& link : links_) {
    const DriverDomain& driver = *drivers_[link.plan.driver];
    const ClientDomain& client = *clients_[link.plan.client];
    if (!link.wanted || link.grant.valid() || driver.restart.holds_grants() || !driver.came_up() ||
        !client.domain.running()) {
      continue;
    }
    if (has_old_session(link)) {
      again = true;
      continue;
    }
    link.granting = true;
    save();
    const Result<Handle> grant =
        broker_->grant_device(client.domain.handle(), driver.domain.handle(), link.plan.number,
                              *client.spec.devices[link.plan.device].name);
    link.granting = false;
    if (grant) {
      link.grant = *grant;
    } else {
      spdlog::warn("no grant for {} yet: {}", label(link), to_string(grant.status()));
      again = has_broker();
    }
  }
  if (again) grant_timer_ = loop_.after(kGrantRetry, [this] { grant_due(); });
}

bool Machine::has_old_session(const Link& link) {
  std::vector<Handle>& past = drivers_[link.plan.driver]->past;
  if (past.empty()) return false;
  // A dead domain's row stays as long as a session refers to it; after that its index may be
  // somebody else's.
  const auto domains = broker_->domains();
  const auto sessions = broker_->sessions();
  if (!domains || !sessions) return true;
  std::erase_if(past, [&](Handle life) { return !is_listed(*domains, life); });
  return std::any_of(sessions->begin(), sessions->end(), [&](const LedgerRow& row) {
    return row.device == link.plan.number &&
           std::any_of(past.begin(), past.end(),
                       [&](Handle life) { return life.index == row.driver; });
  });
}

const LedgerRow* Machine::session_of(const Link& link,
                                     const std::vector<LedgerRow>& sessions) const noexcept {
  if (!link.grant.valid()) return nullptr;
  const std::uint32_t client = clients_[link.plan.client]->domain.handle().index;
  const std::uint32_t driver = drivers_[link.plan.driver]->domain.handle().index;
  const auto found = std::find_if(sessions.begin(), sessions.end(), [&](const LedgerRow& row) {
    return row.parent_or_client == client && row.driver == driver && row.device == link.plan.number;
  });
  return found == sessions.end() ? nullptr : &*found;
}

bool Machine::all_connected() {
  const auto came_up = [](const auto& driver) { return driver->came_up(); };
  if (!std::all_of(drivers_.begin(), drivers_.end(), came_up)) return false;
  const auto sessions = broker_->sessions();
  if (!sessions) return false;
  return std::all_of(links_.begin(), links_.end(), [&](const Link& link) {
    if (!link.wanted) return true;
    const LedgerRow* row = session_of(link, *sessions);
    return row != nullptr && static_cast<SessionState>(row->state) == SessionState::Connected;
  });
}

Link* Machine::find_link(std::string_view client, std::string_view device) noexcept {
  const auto found = std::find_if(links_.begin(), links_.end(), [&](const Link& link) {
    const Client& spec = system_.clients[link.plan.client];
    return *spec.name == client && *spec.devices[link.plan.device].name == device;
  });
  return found == links_.end() ? nullptr : &*found;
}

std::string Machine::connect(std::string_view client, std::string_view device) {
  Link* link = find_link(client, device);
  if (link == nullptr) return fmt::format("there is no device '{}' of '{}'", device, client);
  if (link->wanted) return {};
  if (sealed_) return "the system is static: nothing is connected any more";
  link->wanted = true;
  grant_due();
  return {};
}

std::string Machine::disconnect(std::string_view client, std::string_view device) {
  Link* link = find_link(client, device);
  if (link == nullptr) return fmt::format("there is no device '{}' of '{}'", device, client);
  if (sealed_) return "the system is static: a device that is disconnected could never come back";
  link->wanted = false;
  save();  // a grant that is not recorded as unwanted would be good for ever
  if (!link->grant.valid()) return {};
  const Status status = take_back(*link);
  // Stale: its client or its driver has just died, and the grant with it.
  if (status == Status::Ok || status == Status::Stale) return {};
  return fmt::format("the broker does not take {} back: {}", label(*link), to_string(status));
}

Status Machine::take_back(Link& link) {
  return broker_->revoke_grant(std::exchange(link.grant, {}));
}

// The client goes first: its end costs itself a pause, and a driver's end costs all its clients
// one. With the client dead, the broker doubts the driver's word and has it killed too.
void Machine::watch_returns() {
  return_look_ = loop_.after(kReturnLook, [this] {
    watch_returns();
    // In a static system no client comes back, and no page is given again.
    if (phase_ != Phase::Running || sealed_ || !has_broker()) return;
    const auto sessions = broker_->sessions();
    if (!sessions) return;
    for (const LedgerRow& row : overdue_.look(*sessions, OverdueSessions::Clock::now())) {
      for (const auto& client : clients_) {
        Domain& domain = client->domain;
        if (!domain.running() || domain.handle().index != row.parent_or_client) continue;
        spdlog::warn("pages of '{}' do not come home from its session {}: its frontend is ended",
                     domain.name(), row.index);
        domain.dissolve(*broker_);
      }
    }
  });
}

}  // namespace cede::supervisor
