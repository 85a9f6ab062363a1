// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "vmm/qemu/deadline.h"

namespace cede::qemu {
namespace {

// What the child needs between fork and exec, where nothing may be allocated.
struct Launch {
  pid_t parent = 0;
  int input = -1;
  int output = -1;
  char* const* arguments = nullptr;
  const UserIds* run_as = nullptr;
};

// By system call: the library's wrappers would try to reach the parent's threads.
bool become(const UserIds& ids) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, ids.gid, ids.gid, ids.gid) == 0 &&
         ::syscall(SYS_setresuid, ids.uid, ids.uid, ids.uid) == 0;
}

// Returns only if something failed. The death signal comes after the change of identity, which
// would clear it, and the parent is looked for after that, lest it died in between.
void exec_child(const Launch& launch) {
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  (void)::signal(SIGPIPE, SIG_DFL);
  ::setpgid(0, 0);
  if (launch.run_as != nullptr && !become(*launch.run_as)) return;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  if (::getppid() != launch.parent) ::_exit(1);
  if (::dup2(launch.input, STDIN_FILENO) < 0 || ::dup2(launch.output, STDOUT_FILENO) < 0 ||
      ::dup2(launch.output, STDERR_FILENO) < 0) {
    return;
  }
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  ::execvp(launch.arguments[0], launch.arguments);
}

// The exec closes the pipe; a failure before it comes through as an errno.
int read_failure(int pipe) {
  int failure = 0;
  ssize_t got = 0;
  do {
    got = ::read(pipe, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == sizeof failure ? failure : 0;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  const Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<int, 2> ends{};
  if (!input || ::pipe2(ends.data(), O_CLOEXEC) != 0) return Status::IoError;
  const Fd failure_in(ends[0]);
  Fd failure_out(ends[1]);

  std::vector<char*> arguments;
  arguments.reserve(options.arguments.size() + 1);
  for (const std::string& argument : options.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: exec does not write them
  }
  arguments.push_back(nullptr);
  const Launch launch{.parent = ::getpid(),
                      .input = input.get(),
                      .output = options.output,
                      .arguments = arguments.data(),
                      .run_as = options.run_as ? &*options.run_as : nullptr};

  const pid_t pid = ::fork();
  if (pid < 0) return Status::IoError;
  if (pid == 0) {
    exec_child(launch);
    const int failure = errno;
    (void)!::write(failure_out.get(), &failure, sizeof failure);
    ::_exit(127);
  }
  failure_out.reset();
  // Not reaped by anybody else: the number still means our child.
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int failure = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    errno = failure;
    return Status::IoError;
  }
  ChildProcess child(pid, std::move(pidfd));
  if (const int failure = read_failure(failure_in.get()); failure != 0) {
    child.kill();
    errno = failure;
    return Status::IoError;
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      exit_code_(other.exit_code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, 0);
    pidfd_ = std::move(other.pidfd_);
    exit_code_ = other.exit_code_;
  }
  return *this;
}

bool ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (!pidfd_) return true;
  if (!wait_readable(pidfd_.get(), Deadline(timeout))) return false;
  reap();
  return true;
}

void ChildProcess::kill() {
  if (!pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  reap();
}

void ChildProcess::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pidfd_.reset();
}

}  // namespace cede::qemu
