// SPDX-License-Identifier: Apache-2.0
// A child process that cannot outlive its owner and inherits what it is given, nothing else. The
// owner is this process, or its keeper.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "vmm/process/keeper.h"

namespace cede {

struct Launch {
  std::vector<std::string> arguments{};  // the first is the program, looked for in PATH
  std::vector<int> inherited{};          // borrowed; the child has them under the same numbers
  int output = -1;          // borrowed; becomes standard output and standard error; -1: as they are
  int cgroup_procs = -1;    // borrowed cgroup.procs to enter, or -1
  int share_procs = -1;     // likewise; where it cannot be entered, the child goes on without
  rlim_t locked_bytes = 0;  // RLIMIT_MEMLOCK, raised as far as we may; 0: as it is
  rlim_t open_files = 0;    // RLIMIT_NOFILE, likewise
  rlim_t file_bytes = 0;    // RLIMIT_FSIZE, which writes fail beyond; 0: as it is
  // Become this user, and the group of the same number alone, before the program starts: for root
  // only. A program that drops its privileges itself is told so by its arguments instead.
  std::optional<uid_t> run_as{};
  KeeperLink* keeper = nullptr;  // borrowed; the child is the keeper's, not ours, and outlives us
};

// The child has empty input, its own process group (a terminal's interrupt does not reach it) and
// no blocked signal. For one thread at a time.
class Process {
 public:
  Process() = default;
  // The program runs when this returns. Throws std::runtime_error that says what went wrong. The
  // kernel kills the child when the *thread* that calls this ends, so start children from a thread
  // that lives as long as they do.
  [[nodiscard]] static Process start(const Launch& launch);
  // One that an earlier life of ours has started with this keeper, which outlives it; not running()
  // if it is not there any more.
  [[nodiscard]] static Process adopt(pid_t pid, KeeperLink& keeper);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { kill(); }

  // Stays what it was after the child ended; 0 if there was none, or it was moved from.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Readable once the child has ended; -1 once that was noticed.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  // It was started, and that it ended was not noticed by wait(), reap() or kill() yet.
  [[nodiscard]] bool running() const noexcept { return static_cast<bool>(pidfd_); }

  void signal(int number) const noexcept;
  // Its exit code, or 128 + the number of the signal that ended it. Nothing: it still runs.
  std::optional<int> wait(std::chrono::milliseconds timeout) noexcept;
  // Waits without a limit. "exit 1", "signal 9".
  std::string reap();
  // SIGKILL; the child is gone when this returns. Nothing if it has ended.
  void kill() noexcept;

 private:
  void collect() noexcept;

  pid_t pid_ = 0;
  Fd pidfd_;                      // empty once the child was reaped
  KeeperLink* keeper_ = nullptr;  // whose child it is; null: ours
  int status_ = 0;                // as of waitpid(2), after that
};

}  // namespace cede
