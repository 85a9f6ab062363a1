// SPDX-License-Identifier: Apache-2.0
// The broker's life and death. Its successor inherits nothing: the ledger of a broker that died is
// nobody's to believe. The old domains end with it; the new broker has the whole budget, and a
// client comes back once the kernel has proved that nobody holds a page of its earlier lives.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "vmm/supervisor/machine.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLook{20};
constexpr const char* kTogether = "with the broker";  // how the domains ended

}  // namespace

void Machine::make_cgroups() {
  const std::string name = cgroup_name(*system_.name);
  std::string why;
  cgroup_ = SystemCgroup::make(name, why);
  if (cgroup_) {
    runtime_.note(cgroup_.directory());
  } else {
    progress_("WARNING: no memory cgroup (" + why +
              "): clients are not charged, and a client that pins pages keeps them unseen");
  }
  processors_ = ProcessorShares(system_, name, cgroup_);
  for (const std::filesystem::path& directory : processors_.directories()) {
    runtime_.note(directory);
  }
  why = processors_.make();
  const auto described = [](const auto& domain) { return domain.cpu.described; };
  if (!processors_ && (std::ranges::any_of(system_.drivers, described) ||
                       std::ranges::any_of(system_.clients, described))) {
    progress_("WARNING: no processor shares (" + why + "): cpu_weight and cpu_limit do nothing");
  }
}

void Machine::start_broker() {
  broker_started_ = steady_clock::now();
  ++broker_lives_;
  save();  // so that no successor of ours takes the number, and the directory, again
  cgroup_.begin_life(broker_lives_);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("cannot make the broker's socket");
  }
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  Launch launch;
  launch.arguments = {programs_.broker.string(), "--root-fd", std::to_string(theirs.get()),
                      "--budget-pages", std::to_string(*system_.budget / kPageBytes)};
  if (cgroup_) {
    launch.arguments.insert(launch.arguments.end(), {"--cgroup", cgroup_.life().string()});
  }
  launch.inherited = {theirs.get()};
  launch.keeper = &keeper_;
  launch.output = broker_output_.write_end();
  launch.open_files = kOpenFiles;
  keeper_.keep(kBrokerLink, ours.get());
  broker_process_ = Process::start(launch);
  watch_broker(std::move(ours), 0);
}

void Machine::watch_broker(Fd link, std::uint32_t last_tag) {
  broker_exit_.reset();
  broker_ = std::make_unique<BrokerLink>(std::move(link), last_tag, [this] {
    kept_events_ = loop_.after(milliseconds::zero(), [this] { handle_events(); });
  });
  broker_watch_ = loop_.when_readable(broker_process_.pidfd(), [this] { broker_ended(); });
  broker_events_ = loop_.when_readable(broker_->fd(), [this] { handle_events(); });
}

void Machine::handle_events() {
  while (const auto event = broker_->take_event()) {
    if (event->type != MessageType::Kill) continue;
    const auto kill = [&](Domain& domain) {
      if (domain.handle() != event->subject || !domain.running()) return false;
      spdlog::error("'{}' did not let go in time: killed", domain.name());
      domain.kill();
      return true;
    };
    for (const auto& driver : drivers_) {
      if (kill(driver->domain)) driver->restart.overran();
    }
    for (const auto& client : clients_) kill(client->domain);
  }
  if (!broker_->dead()) return;
  broker_events_.reset();
  broker_process_.signal(SIGKILL);  // it may be silent, and alive
}

void Machine::broker_ended() {
  broker_watch_.reset();
  broker_events_.reset();
  kept_events_.reset();
  broker_exit_ = broker_process_.reap();
  broker_output_.drain();
  spdlog::info("the broker ended: {}", *broker_exit_);
  if (survives_broker()) outlive_broker();
}

void Machine::outlive_broker() {
  spdlog::warn("all domains begin anew, with another broker");
  grant_timer_.reset();
  for (Link& link : links_) link.grant = {};
  overdue_ = {};  // the next broker's handles are others
  for (const auto& driver : drivers_) driver->domain.lose_broker();
  for (const auto& client : clients_) client->domain.lose_broker();
  renew_broker_later();
}

void Machine::renew_broker_later() {
  const auto lived = steady_clock::now() - broker_started_;
  renewal_ = loop_.after(broker_backoff_.next(std::chrono::duration_cast<milliseconds>(lived)),
                         [this] { renew_broker(); });
}

void Machine::renew_broker() {
  const auto runs = [](const auto& each) { return each->domain.running(); };
  if (std::ranges::any_of(drivers_, runs) || std::ranges::any_of(clients_, runs)) {
    renewal_ = loop_.after(kLook, [this] { renew_broker(); });
    return;
  }
  try {
    start_broker();
  } catch (const std::runtime_error& error) {
    spdlog::error("{}", error.what());
    return renew_broker_later();
  }
  spdlog::warn("the broker's successor runs as process {}", broker_pid());
  for (std::size_t i = 0; i < drivers_.size(); ++i) {
    drivers_[i]->past.clear();
    begin_life(drivers_[i]->domain, kTogether, [this, i] { start_driver(i); });
  }
  for (const auto& client : clients_) client->awaits_pages = true;
  return_clients();
}

// A client whose pages are held by somebody keeps nobody else waiting: they were in its account,
// and nobody else's account has them. What its driver still writes for it holds them, too, so a
// replay is not overtaken.
void Machine::return_clients() {
  bool again = false;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    ClientDomain& client = *clients_[i];
    if (!client.awaits_pages) continue;
    client.awaits_pages = !client.domain.pages_are_free();
    if (client.awaits_pages) {
      again = true;
    } else {
      begin_life(client.domain, kTogether, [this, i] { start_client(i); });
    }
  }
  if (again) {
    batches_.empty();
    renewal_ = loop_.after(kLook, [this] { return_clients(); });
  } else {
    cgroup_.sweep_earlier_lives();
  }
}

}  // namespace cede::supervisor
