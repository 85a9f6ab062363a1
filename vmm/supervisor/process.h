// SPDX-License-Identifier: Apache-2.0
// A child process of the supervisor: inherits what it is given and nothing else, cannot outlive the
// supervisor, and is watched by its pidfd.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"

namespace cede::supervisor {

struct Launch {
  std::vector<std::string> arguments{};  // the first is the program, looked for in PATH
  std::vector<int> inherited{};          // borrowed; the child has them under the same numbers
  int output = -1;                       // borrowed; becomes standard output and standard error
  int cgroup_procs = -1;                 // borrowed cgroup.procs to enter, or -1
  rlim_t locked_bytes = 0;               // RLIMIT_MEMLOCK, raised as far as we may; 0: as it is
  rlim_t open_files = 0;                 // RLIMIT_NOFILE, likewise
  rlim_t file_bytes = 0;                 // RLIMIT_FSIZE, which writes fail beyond; 0: none
  // Become this user and group before the program starts. A program that drops its privileges
  // itself is told so by its arguments instead.
  std::optional<uid_t> run_as{};
};

class Process {
 public:
  Process() = default;
  // Throws std::runtime_error that says what went wrong. The kernel kills the child when the
  // thread that calls this ends.
  [[nodiscard]] static Process start(const Launch& launch);
  Process(Process&&) noexcept = default;
  Process& operator=(Process&& other) noexcept;
  ~Process() { kill(); }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // Readable once the child has ended.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  [[nodiscard]] bool running() const noexcept { return static_cast<bool>(pidfd_); }

  void signal(int number) const noexcept;
  // Takes the ended child off the kernel's books. "exit 1", "signal 9".
  std::string reap();
  // SIGKILL, and reap; nothing if it has ended.
  void kill() noexcept;

 private:
  pid_t pid_ = 0;
  Fd pidfd_;
};

}  // namespace cede::supervisor
