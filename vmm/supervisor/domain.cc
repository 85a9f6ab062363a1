// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/domain.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <stdexcept>
#include <utility>

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kExitGrace{3000};

}  // namespace

Domain::Domain(EventLoop& loop, KeeperLink& keeper, const ProcessorShares& processors,
               std::string name, fs::path log, std::optional<uid_t> uid, Ended ended)
    : loop_(loop),
      keeper_(keeper),
      processors_(processors),
      name_(std::move(name)),
      uid_(uid),
      ended_(std::move(ended)),
      log_(std::move(log)),
      output_(loop, kept_pipe(keeper, name_),
              [this](std::string_view text) { log_.append(text); }) {}

void Domain::start(BrokerLink& broker, const SystemCgroup& cgroup, std::uint32_t pages,
                   Launch launch, std::optional<Launch> qemu) {
  timer_.reset();
  dissolved_ = false;
  has_domain_ = false;
  started_ = steady_clock::now();
  Result<BrokerLink::NewDomain> domain = broker.create_domain(name_, pages);
  if (!domain) {
    throw std::runtime_error(
        fmt::format("the broker makes no domain for '{}': {}", name_, to_string(domain.status())));
  }
  handle_ = domain->handle;
  has_domain_ = true;
  std::erase_if(cgroups_, [](const fs::path& earlier) { return !fs::exists(earlier); });
  if (cgroup) cgroups_.push_back(cgroup.of_domain(handle_));
  launch.arguments.insert(launch.arguments.begin() + 1,
                          {"--capability", std::to_string(domain->socket.get())});
  launch.inherited.push_back(domain->socket.get());
  if (uid_) {
    const std::string id = std::to_string(*uid_);
    launch.arguments.insert(launch.arguments.end(), {"--uid", id, "--gid", id});
  }
  place(launch, cgroup);
  how_.clear();
  try {
    process_ = Process::start(launch);
    if (qemu) {
      place(*qemu, cgroup);
      qemu_ = Process::start(*qemu);
    }
  } catch (const std::runtime_error&) {
    process_.kill();
    broker.destroy_domain(handle_);
    throw;
  }
  ++lives_;
  spdlog::info("'{}' runs as process {}, domain {}-{}", name_, process_.pid(), handle_.index,
               handle_.generation);
  exit_watch_ = watch(process_);
  if (qemu) qemu_watch_ = watch(qemu_);
}

EventLoop::Registration Domain::watch(Process& process) {
  return loop_.when_readable(process.pidfd(), [this, &process] { on_exit(process); });
}

void Domain::adopt(Handle handle, pid_t process, pid_t qemu, std::uint32_t lives,
                   std::vector<fs::path> cgroups) {
  started_ = steady_clock::now();
  handle_ = handle;
  has_domain_ = true;
  lives_ = lives;
  cgroups_ = std::move(cgroups);
  process_ = Process::adopt(process, keeper_);
  qemu_ = Process::adopt(qemu, keeper_);
  if (process_.running()) exit_watch_ = watch(process_);
  if (qemu_.running()) qemu_watch_ = watch(qemu_);
}

void Domain::place(Launch& launch, const SystemCgroup& cgroup) {
  launch.keeper = &keeper_;
  launch.output = output_.write_end();
  cgroup_procs_ = cgroup.run_procs(handle_);
  if (cgroup && !cgroup_procs_) {
    spdlog::warn("the broker made no memory cgroup for '{}': it runs outside of one", name_);
  }
  launch.cgroup_procs = cgroup_procs_.get();
  share_procs_ = processors_.admit(name_, cgroup.of_domain(handle_));
  launch.share_procs = share_procs_.get();
}

void Domain::dissolve(BrokerLink& broker) {
  broker.destroy_domain(handle_);
  await_exit();
}

void Domain::lose_broker() {
  handle_ = {};  // its successor gives the same numbers to others
  await_exit();
}

void Domain::await_exit() {
  dissolved_ = true;
  timer_.reset();
  if (running()) timer_ = loop_.after(kExitGrace, [this] { kill(); });
}

void Domain::kill() const noexcept {
  process_.signal(SIGKILL);
  qemu_.signal(SIGKILL);
}

bool Domain::pages_are_free() {
  std::erase_if(cgroups_, sessions_are_free);
  return cgroups_.empty();
}

void Domain::restart_later(EventLoop::Callback again) {
  const auto lived = std::chrono::duration_cast<milliseconds>(steady_clock::now() - started_);
  // Without a domain from the broker there was no life to learn from: the pages of the last one are
  // still on their way home, as a rule.
  const milliseconds delay = dissolved_    ? milliseconds::zero()
                             : has_domain_ ? backoff_.next(lived)
                                           : Backoff::kFirst;
  timer_ = loop_.after(delay, std::move(again));
}

void Domain::on_exit(Process& process) {
  (&process == &qemu_ ? qemu_watch_ : exit_watch_).reset();
  const std::string how = process.reap();
  spdlog::info("'{}' ended: {} (process {})", name_, how, process.pid());
  if (how_.empty()) how_ = how;
  if (running()) {
    kill();
    return;
  }
  timer_.reset();
  output_.drain();
  ended_(std::exchange(how_, {}));
}

}  // namespace cede::supervisor
