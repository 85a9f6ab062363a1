// SPDX-License-Identifier: Apache-2.0
// A child process that cannot outlive its owner.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct ChildOptions {
  std::vector<std::string> arguments;  // the first is the program, looked for in PATH
  int output = -1;                     // borrowed; becomes standard output and standard error
  std::optional<UserIds> run_as = {};  // needs root; no supplementary groups are kept
};

// The child has no descriptor of ours, empty input, its own process group (a terminal's interrupt
// does not reach it) and no blocked signal. The kernel kills it when the *thread* that started it
// ends, so start children from a thread that lives as long as they do. For one thread at a time.
class ChildProcess {
 public:
  // Ok means that the program runs. IoError otherwise, with errno telling why.
  static Result<ChildProcess> start(const ChildOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { kill(); }

  // Stays what it was after the child ended; 0 once moved from.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  // True if the child has ended, by then or before.
  bool wait(std::chrono::milliseconds timeout);

  // After wait() was true: the exit code, or 128 + the number of the signal that ended the child.
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

  // SIGKILL. The child is gone when this returns.
  void kill();

 private:
  ChildProcess(pid_t pid, Fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
  void reap();

  pid_t pid_ = 0;
  Fd pidfd_;  // empty once the child was reaped
  int exit_code_ = -1;
};

}  // namespace cede::qemu
