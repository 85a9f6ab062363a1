// SPDX-License-Identifier: Apache-2.0
// One domain of the description, over all the lives of its program. A life is a domain of the
// broker's, the process that holds its capability socket, and a driver VM's QEMU beside that; they
// end together.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocols/session.h"
#include "vmm/process/backoff.h"
#include "vmm/process/process.h"
#include "vmm/supervisor/broker_link.h"
#include "vmm/supervisor/cgroup.h"
#include "vmm/supervisor/event_loop.h"
#include "vmm/supervisor/output_pipe.h"
#include "vmm/supervisor/processor_shares.h"

namespace cede::supervisor {

class Domain {
 public:
  // `ended` is called from the loop after each life, when its processes are gone, with how the
  // first of them ended.
  using Ended = std::function<void(const std::string& how)>;

  // Its processes are the keeper's. All that is passed by reference outlives it.
  Domain(EventLoop& loop, KeeperLink& keeper, const ProcessorShares& processors, std::string name,
         std::filesystem::path log, std::optional<uid_t> uid, Ended ended);

  // Makes the broker's domain with `pages` in its account, and starts the program with the
  // capability socket and its user added to its arguments, and a driver VM's `qemu`. Throws
  // std::runtime_error.
  void start(BrokerLink& broker, const SystemCgroup& cgroup, std::uint32_t pages, Launch launch,
             std::optional<Launch> qemu = {});
  // Goes on with a life that began before us; a process that there was not is 0. `cgroups` are
  // those that may hold its pages, or those of earlier lives. It may have ended since: then it is
  // not running(), and `ended` was not called.
  void adopt(Handle handle, pid_t process, pid_t qemu, std::uint32_t lives,
             std::vector<std::filesystem::path> cgroups);
  // Dissolves the broker's domain, on which the program exits; kills it if it does not.
  void dissolve(BrokerLink& broker);
  // The broker is gone, and what it knew of the domain: as above.
  void lose_broker();
  // No page of a life under a broker that is gone is held by anybody: the kernel says so, and only
  // where there is a cgroup. To be asked between lives.
  [[nodiscard]] bool pages_are_free();
  // Stops the processes now. `ended` follows.
  void kill() const noexcept;
  // Calls `again` after the back-off that the last life has earned.
  void restart_later(EventLoop::Callback again);
  // Another process of this domain, such as its VM, is started in the same place.
  void place(Launch& launch, const SystemCgroup& cgroup);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::optional<uid_t> uid() const noexcept { return uid_; }
  // Of the current life, or the last.
  [[nodiscard]] Handle handle() const noexcept { return handle_; }
  [[nodiscard]] pid_t pid() const noexcept { return process_.running() ? process_.pid() : 0; }
  // QEMU's, of a driver VM.
  [[nodiscard]] pid_t vm_pid() const noexcept { return qemu_.running() ? qemu_.pid() : 0; }
  [[nodiscard]] bool running() const noexcept { return process_.running() || qemu_.running(); }
  // Its end was asked for.
  [[nodiscard]] bool dissolved() const noexcept { return dissolved_; }
  [[nodiscard]] std::uint32_t lives() const noexcept { return lives_; }
  [[nodiscard]] const std::string& last_words() const noexcept { return log_.last_line(); }

 private:
  [[nodiscard]] EventLoop::Registration watch(Process& process);
  void on_exit(Process& process);
  void await_exit();  // and no restart

  EventLoop& loop_;
  KeeperLink& keeper_;
  const ProcessorShares& processors_;
  std::string name_;
  std::optional<uid_t> uid_;
  Ended ended_;
  BoundedLog log_;
  OutputPipe output_;
  Backoff backoff_;
  Handle handle_;
  Fd cgroup_procs_;  // of what a process is placed in
  Fd share_procs_;
  std::vector<std::filesystem::path> cgroups_;  // of all lives; their sessions may hold pages
  std::chrono::steady_clock::time_point started_;
  std::uint32_t lives_ = 0;
  bool dissolved_ = false;
  bool has_domain_ = false;  // the last start got one
  std::string how_;          // the first process of this life ended, or empty
  Process process_;
  Process qemu_;
  EventLoop::Registration exit_watch_;
  EventLoop::Registration qemu_watch_;
  EventLoop::Registration timer_;  // to kill, or to restart
};

}  // namespace cede::supervisor
