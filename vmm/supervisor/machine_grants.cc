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
// Longer than the broker's patience with a driver, which is ten seconds.
constexpr std::chrono::milliseconds kReturnTime{15'000};

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
  return link.grant.valid() ? any_session_of(link, sessions) : nullptr;
}

const LedgerRow* Machine::any_session_of(const Link& link,
                                         const std::vector<LedgerRow>& sessions) const noexcept {
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
  const auto sessions = broker_->sessions();
  const Status status = take_back(*link, sessions ? session_of(*link, *sessions) : nullptr);
  // Stale: its client or its driver has just died, and the grant with it.
  if (status == Status::Ok || status == Status::Stale) return {};
  return fmt::format("the broker does not take {} back: {}", label(*link), to_string(status));
}

Status Machine::take_back(Link& link, const LedgerRow* session) {
  const Status status = broker_->revoke_grant(std::exchange(link.grant, {}));
  if (session != nullptr) await_return(link, {session->index, session->generation});
  return status;
}

void Machine::await_return(Link& link, Handle session) {
  link.patience = loop_.after(kReturnTime, [this, &link, session] {
    const auto sessions = broker_->sessions();
    if (!sessions || !is_listed(*sessions, session)) return;
    spdlog::warn("{} does not let go of its pages: its frontend is ended", label(link));
    clients_[link.plan.client]->domain.dissolve(*broker_);
  });
}

}  // namespace cede::supervisor
