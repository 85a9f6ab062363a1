// SPDX-License-Identifier: Apache-2.0
#include "vmm/process/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "vmm/process/deadline.h"

namespace cede {
namespace {

void raise_limit(__rlimit_resource resource, rlim_t wanted) noexcept {
  rlimit limit{};
  if (wanted == 0 || ::getrlimit(resource, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  if (::setrlimit(resource, &limit) == 0) return;
  ::getrlimit(resource, &limit);  // not privileged: as far as the hard limit goes
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(resource, &limit);
}

// As fork(), but the child's parent is ours.
pid_t fork_sibling() noexcept {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

Fd open_pidfd(pid_t pid) noexcept {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// By system call: the library's wrappers would try to reach the parent's threads.
bool become(uid_t id) noexcept {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, id, id, id) == 0 &&
         ::syscall(SYS_setresuid, id, id, id) == 0;
}

// Between fork and exec, where nothing may be allocated. Returns only if something failed, with
// errno.
void exec_child(const Launch& launch, pid_t parent, int null_input,
                char* const* arguments) noexcept {
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  (void)::signal(SIGPIPE, SIG_DFL);
  (void)::signal(SIGHUP, SIG_DFL);
  ::setpgid(0, 0);
  if (launch.cgroup_procs >= 0 && ::write(launch.cgroup_procs, "0", 1) != 1) return;
  if (launch.share_procs >= 0) {
    [[maybe_unused]] const ssize_t entered = ::write(launch.share_procs, "0", 1);
  }
  raise_limit(RLIMIT_MEMLOCK, launch.locked_bytes);
  raise_limit(RLIMIT_NOFILE, launch.open_files);
  if (launch.file_bytes != 0) {
    const rlimit limit{launch.file_bytes, launch.file_bytes};
    (void)::signal(SIGXFSZ, SIG_IGN);  // writes fail instead
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return;
  }
  if (launch.run_as && !become(*launch.run_as)) return;
  // After the change of identity, which clears it; and the parent may have died before.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  if (::getppid() != parent) ::_exit(1);
  if (::dup2(null_input, STDIN_FILENO) < 0) return;
  if (launch.output >= 0 &&
      (::dup2(launch.output, STDOUT_FILENO) < 0 || ::dup2(launch.output, STDERR_FILENO) < 0)) {
    return;
  }
  // Whoever started us may have left descriptors open for us, and some libraries open theirs so.
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return;
  for (const int fd : launch.inherited) {
    if (::fcntl(fd, F_SETFD, 0) != 0) return;
  }
  ::execvp(arguments[0], arguments);
}

// The exec closes the pipe; a failure before it comes through as an errno.
int read_failure(int pipe) noexcept {
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(pipe, &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  return got == sizeof error ? error : 0;
}

}  // namespace

Process Process::start(const Launch& launch) {
  const auto failure = [&launch](int error) {
    return std::runtime_error("cannot start '" + launch.arguments.front() +
                              "': " + std::generic_category().message(error));
  };
  std::vector<char*> arguments;
  arguments.reserve(launch.arguments.size() + 1);
  for (const std::string& argument : launch.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: exec does not write them
  }
  arguments.push_back(nullptr);

  const Fd null_input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::array<int, 2> ends{};
  if (!null_input || ::pipe2(ends.data(), O_CLOEXEC) != 0) throw failure(errno);
  const Fd failure_in(ends[0]);
  Fd failure_out(ends[1]);

  const pid_t parent = launch.keeper != nullptr ? ::getppid() : ::getpid();
  Process process;
  process.keeper_ = launch.keeper;
  process.pid_ = launch.keeper != nullptr ? fork_sibling() : ::fork();
  if (process.pid_ < 0) throw failure(errno);
  if (process.pid_ == 0) {
    exec_child(launch, parent, null_input.get(), arguments.data());
    const int error = errno;
    (void)!::write(failure_out.get(), &error, sizeof error);
    ::_exit(127);
  }
  failure_out.reset();
  // Nobody reaps it but by our wish, so the number still means this one.
  process.pidfd_ = open_pidfd(process.pid_);
  if (!process.pidfd_) {
    const int error = errno;
    ::kill(process.pid_, SIGKILL);
    process.collect();
    throw failure(error);
  }
  if (const int error = read_failure(failure_in.get()); error != 0) throw failure(error);
  return process;
}

Process Process::adopt(pid_t pid, KeeperLink& keeper) {
  Process process;
  process.pid_ = pid;
  process.keeper_ = &keeper;
  if (pid > 0) process.pidfd_ = open_pidfd(pid);
  // Asked after that: if it is a child now, the descriptor is of that child.
  if (!keeper.has_child(pid)) process.pidfd_.reset();
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      keeper_(other.keeper_),
      status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, 0);
    pidfd_ = std::move(other.pidfd_);
    keeper_ = other.keeper_;
    status_ = other.status_;
  }
  return *this;
}

void Process::signal(int number) const noexcept {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

std::optional<int> Process::wait(std::chrono::milliseconds timeout) noexcept {
  if (pidfd_) {
    if (!wait_readable(pidfd_.get(), Deadline(timeout))) return std::nullopt;
    collect();
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

std::string Process::reap() {
  if (pidfd_) collect();
  return WIFEXITED(status_) ? "exit " + std::to_string(WEXITSTATUS(status_))
                            : "signal " + std::to_string(WTERMSIG(status_));
}

void Process::kill() noexcept {
  if (!pidfd_) return;
  signal(SIGKILL);
  collect();
}

void Process::collect() noexcept {
  if (keeper_ != nullptr) {
    while (pidfd_ && !wait_readable(pidfd_.get(), Deadline(std::chrono::hours(1)))) {
    }
    status_ = keeper_->reap(pid_);  // at once: the keeper waits for nobody
  } else {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
  }
  pidfd_.reset();
}

}  // namespace cede
