// SPDX-License-Identifier: Apache-2.0
// How a machine ends: guests, clients, drivers, broker, and the proof that every page came home.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <vector>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGuestGrace{5'000};
constexpr milliseconds kExitLimit{5'000};
// The broker gives a driver 10 s to let go, asks for its death, and waits for the proof.
constexpr milliseconds kDrainLimit{25'000};
constexpr milliseconds kBrokerLimit{25'000};

}  // namespace

bool Machine::stop() {
  phase_ = Phase::Stopping;
  save();
  grant_timer_.reset();
  renewal_.reset();
  stop_guests();
  const bool had_broker = has_broker();
  bool home = false;
  if (had_broker) {
    stop_domains();
    home = pages_are_home();
    broker_events_.reset();
    kept_events_.reset();
    broker_.reset();  // the end of the root domain, and of the system
    loop_.poll_until([this] { return broker_exit_.has_value(); }, kBrokerLimit);
    if (broker_exit_ != "exit 0") {
      progress_(fmt::format("WARNING: the broker ended badly ({}): {}",
                            broker_exit_.value_or("not at all"), broker_log_.last_line()));
    }
  } else {
    progress_(fmt::format("the broker is gone ({}); everything is stopped",
                          broker_exit_.value_or("silent")));
    for (const auto& client : clients_) client->domain.kill();
    for (const auto& driver : drivers_) driver->domain.kill();
  }
  broker_watch_.reset();
  broker_process_.kill();
  const bool clean = remove_cgroups();
  return had_broker && home && clean && broker_exit_ == "exit 0";
}

bool Machine::remove_cgroups() {
  std::vector<std::filesystem::path> cgroups = processors_.directories();
  if (cgroup_) cgroups.push_back(cgroup_.directory());
  bool clean = true;
  for (const std::filesystem::path& cgroup : cgroups) {
    if (remove_cgroup_tree(cgroup)) continue;
    progress_("WARNING: cannot remove " + cgroup.string());
    clean = false;
  }
  return clean;
}

void Machine::stop_guests() {
  for (const auto& client : clients_) client->vm.signal(SIGTERM);
  loop_.poll_until(
      [this] {
        return std::none_of(clients_.begin(), clients_.end(),
                            [](const auto& client) { return client->vm.running(); });
      },
      kGuestGrace);
  for (const auto& client : clients_) {
    client->vm_watch.reset();
    client->vm.kill();
  }
}

void Machine::stop_domains() {
  const auto ended = [](const auto& domains) {
    return std::none_of(domains.begin(), domains.end(),
                        [](const auto& each) { return each->domain.running(); });
  };
  progress_("clients close");
  for (const auto& client : clients_) client->domain.dissolve(*broker_);
  loop_.poll_until([&] { return broken() || ended(clients_); }, kExitLimit);
  const bool drained = loop_.poll_until(
      [this] {
        if (broken()) return true;
        const auto sessions = broker_->sessions();
        return sessions && sessions->empty();
      },
      kDrainLimit);
  progress_(drained ? "drivers have let go" : "WARNING: sessions are left over");
  for (const auto& driver : drivers_) driver->domain.dissolve(*broker_);
  loop_.poll_until([&] { return broken() || ended(drivers_); }, kExitLimit);
}

bool Machine::pages_are_home() {
  const auto domains = broker_->domains();
  if (!domains || domains->empty()) return false;
  const std::uint32_t home = domains->front().pages;
  progress_(fmt::format("{} of {} pages are home", home, *system_.budget / kPageBytes));
  const bool proven = std::ranges::all_of(clients_, [](const auto& client) {
    return !client->awaits_pages || client->domain.pages_are_free();
  });
  if (!proven) progress_("WARNING: somebody holds pages of a client of the broker that died");
  return proven && home == *system_.budget / kPageBytes;
}

}  // namespace cede::supervisor
