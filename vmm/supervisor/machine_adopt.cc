// SPDX-License-Identifier: Apache-2.0
// The record of the running system, and how the successor of a supervisor that was killed goes on
// with it. The predecessor may have died between a deed and its record, so: what the record does
// not know is ended, what the broker's ledger or the kernel does not know is forgotten, and all
// that is missing then begins anew, as it would have after any other death.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {
namespace {

constexpr const char* kUnseen = "unseen";  // how it ended
// More requests than one supervisor will send: replies to its predecessors are told by their tags.
constexpr std::uint32_t kTagsOfALife = 1 << 22;
constexpr std::uint8_t kAlive = 1;  // as LedgerRow::state of a domain

bool knows(const Record& record, pid_t process) {
  return process == record.broker ||
         std::ranges::any_of(record.domains, [process](const Record::Domain& domain) {
           return process == domain.process || process == domain.vm;
         });
}

}  // namespace

void Machine::save() noexcept {
  Record record{.phase = phase_,
                .sealed = sealed_,
                .broker = broker_process_.running() ? broker_process_.pid() : 0,
                .broker_lives = broker_lives_};
  std::size_t next = 0;
  for (const auto& driver : drivers_) {
    const Domain& domain = driver->domain;
    record.domains[next++] = {.handle = domain.handle(),
                              .process = domain.pid(),
                              .vm = domain.vm_pid(),
                              .ready = driver->boot && driver->boot->ready,
                              .lives = domain.lives()};
  }
  for (const auto& client : clients_) {
    const Domain& domain = client->domain;
    record.domains[next++] = {.handle = domain.handle(),
                              .process = domain.pid(),
                              .vm = client->vm.running() ? client->vm.pid() : 0,
                              .lives = domain.lives(),
                              .awaits_pages = client->awaits_pages};
  }
  for (std::size_t i = 0; i < links_.size(); ++i) {
    record.links[i] = {links_[i].grant, links_[i].wanted, links_[i].granting};
  }
  record_.write(record);
}

void Machine::adopt(unsigned life) {
  const Record record = record_.read();
  phase_ = record.phase;
  sealed_ = record.sealed;
  std::string why;
  const std::string name = cgroup_name(*system_.name);
  cgroup_ = SystemCgroup::make(name, why);
  processors_ = ProcessorShares(system_, name, cgroup_);
  if (why = processors_.make(); !why.empty()) spdlog::warn("no processor shares: {}", why);
  cgroup_.continue_life(record.broker_lives);
  broker_lives_ = record.broker_lives;
  broker_started_ = std::chrono::steady_clock::now();
  end_strangers(record);
  adopt_domains(record);
  look_at_interfaces();
  broker_process_ = Process::adopt(record.broker, keeper_);
  Fd link = keeper_.take(kBrokerLink);
  if (broker_process_.running() && link) {
    watch_broker(std::move(link), life * kTagsOfALife);
    adopt_links(record);
    reconcile();
  } else {
    broker_process_.kill();
    broker_exit_ = kUnseen;
    if (survives_broker()) outlive_broker();
  }
  watch_returns();
  save();
}

// Processes that were started, and not recorded.
void Machine::end_strangers(const Record& record) {
  for (const pid_t child : keeper_.children()) {
    if (knows(record, child)) continue;
    spdlog::warn("process {} is in no record: killed", child);
    Process::adopt(child, keeper_).kill();
  }
}

void Machine::adopt_domains(const Record& record) {
  // Which of the earlier lives was whose is not recorded: each domain answers for all of them.
  std::vector<std::filesystem::path> earlier = cgroup_.domains();
  for (std::size_t i = 0; i < drivers_.size() + clients_.size(); ++i) {
    std::erase(earlier, cgroup_.of_domain(record.domains[i].handle));
  }
  std::size_t next = 0;
  const auto go_on = [&](Domain& domain, bool is_driver) -> const Record::Domain& {
    const Record::Domain& was = record.domains[next++];
    auto cgroups = earlier;
    if (cgroup_ && was.handle.valid()) cgroups.push_back(cgroup_.of_domain(was.handle));
    domain.adopt(was.handle, was.process, is_driver ? was.vm : 0, was.lives, std::move(cgroups));
    return was;
  };
  for (const auto& driver : drivers_) {
    const Record::Domain& was = go_on(driver->domain, true);
    if (driver->spec.vm) driver->boot.emplace().ready = was.ready;
    // What would tell that it has come up is lost.
    if (driver->spec.vm && !was.ready) driver->domain.kill();
    if (Fd stats = keeper_.take(driver->domain.name() + kStats)) {
      driver->stats = std::make_unique<StatsMemory>(std::move(stats));
    }
  }
  for (const auto& client : clients_) {
    const Record::Domain& was = go_on(client->domain, false);
    client->awaits_pages = was.awaits_pages;
    client->vm = Process::adopt(was.vm, keeper_);
    if (client->vm.running()) watch_vm(*client);
  }
}

void Machine::adopt_links(const Record& record) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    const Record::Link& was = record.links[i];
    link.wanted = was.wanted;
    link.grant = was.grant;
    Domain& client = clients_[link.plan.client]->domain;
    // It may have been granted, by a handle that nobody knows: only the client's end takes it back.
    if (was.granting && client.running()) client.dissolve(*broker_);
    // Again: whether the predecessor got that far is not recorded.
    if (!link.wanted) (void)take_back(link);
  }
}

// Makes ledger and processes say the same.
void Machine::reconcile() {
  const auto rows = broker_->domains();
  if (!rows || rows->empty()) return;  // it has died: that is told by its process
  const auto lives = [&](const Domain& domain, const LedgerRow& row) {
    return domain.running() && domain.handle() == Handle{row.index, row.generation};
  };
  for (auto row = rows->begin() + 1; row != rows->end(); ++row) {  // the first is our own
    const auto is_current = [&](const auto& each) { return lives(each->domain, *row); };
    if (std::ranges::any_of(drivers_, is_current) || std::ranges::any_of(clients_, is_current)) {
      continue;
    }
    const Handle unknown{row->index, row->generation};
    if (row->state == kAlive) broker_->destroy_domain(unknown);
    for (const auto& driver : drivers_) driver->past.push_back(unknown);
  }
  const auto end_unless_alive = [&](Domain& domain) {
    const bool alive = std::ranges::any_of(
        *rows, [&](const LedgerRow& row) { return row.state == kAlive && lives(domain, row); });
    if (!alive) domain.kill();  // the broker has dropped it, and may have asked for this in vain
    return domain.running();
  };
  for (std::size_t i = 0; i < drivers_.size(); ++i) {
    if (!end_unless_alive(drivers_[i]->domain)) driver_ended(i, kUnseen);
  }
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i]->awaits_pages) continue;
    if (!end_unless_alive(clients_[i]->domain)) client_ended(i, kUnseen);
  }
  return_clients();
  grant_due();
}

}  // namespace cede::supervisor
