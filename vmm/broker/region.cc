// SPDX-License-Identifier: Apache-2.0
#include "vmm/broker/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

extern "C" {  // glibc 2.36 forgot to say so in there
#include <sys/pidfd.h>
}

#include "vmm/broker/policy.h"

namespace cede::broker {
namespace {

constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, which is younger than our headers

// The child. `cgroup_procs` is -1, or open on the cgroup.procs of the directory to be charged.
[[noreturn]] void populate(int region, std::uint64_t bytes, int cgroup_procs, long cpus) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // First of all: a domain whose socket the broker closes has to see that, whatever holds this
  // process up, and the last close of what a domain holds, too, is not to be ours.
  const bool charged = cgroup_procs >= 0;
  if ((charged && ::dup2(cgroup_procs, STDOUT_FILENO) < 0) || ::dup2(region, STDIN_FILENO) < 0 ||
      ::close_range(charged ? 2 : 1, ~0U, 0) != 0) {
    ::_exit(errno);
  }
  // Where the client's limit is met, this process is to be the victim, not the client.
  const int adjust = ::open("/proc/self/oom_score_adj", O_WRONLY);
  [[maybe_unused]] const ssize_t adjusted = ::write(adjust, "1000", 4);
  if (charged && ::write(STDOUT_FILENO, "0", 1) != 1) ::_exit(errno);
  const auto size = static_cast<off_t>(bytes);
  const auto allocate = [size](int mode) {
    if (::fallocate(STDIN_FILENO, mode, 0, size) != 0) ::_exit(errno);
  };
  // The kernel publishes a cgroup's figures after 64 changes for each CPU, or two seconds later.
  // A region smaller than that is allocated often enough to make its charge visible at once.
  const std::uint64_t pages = bytes / 4096;
  const std::uint64_t wanted = 2 * 64 * static_cast<std::uint64_t>(cpus);
  for (std::uint64_t changes = pages; changes < wanted; changes += 2 * pages) {
    allocate(0);
    allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  }
  allocate(0);
  ::_exit(0);
}

}  // namespace

Result<Fd> make_region(std::uint64_t bytes) {
  constexpr unsigned kFlags = MFD_ALLOW_SEALING | MFD_CLOEXEC;
  Fd region(::memfd_create("cede-region", kFlags | kNoExecSeal));
  if (!region && errno == EINVAL) region = Fd(::memfd_create("cede-region", kFlags));  // before 6.3
  if (!region || ::ftruncate(region.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(region.get(), F_ADD_SEALS, kSizeSeals) != 0) {
    return Status::IoError;
  }
  return region;
}

Result<Fd> start_populating(int region, std::uint64_t bytes, const std::string& cgroup) {
  const std::string file = cgroup + "/cgroup.procs";
  const Fd procs(cgroup.empty() ? -1 : ::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs && !cgroup.empty()) return Status::IoError;
  const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  const pid_t child = ::fork();
  if (child < 0) return Status::IoError;
  if (child == 0) populate(region, bytes, procs.get(), cpus);
  Fd pidfd(::pidfd_open(child, 0));
  if (!pidfd) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return Status::IoError;
  }
  return pidfd;
}

void stop_populating(int pidfd) noexcept {
  ::pidfd_send_signal(pidfd, SIGKILL, nullptr, 0);
}

Status finish_populating(int pidfd) {
  siginfo_t end{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &end, WEXITED) != 0) return Status::IoError;
  if (end.si_code != CLD_EXITED) return Status::NoMemory;
  if (end.si_status == 0) return Status::Ok;
  return end.si_status == ENOMEM || end.si_status == ENOSPC ? Status::NoMemory : Status::IoError;
}

Status seal_region(int region, std::uint64_t bytes) {
  // A client may have sealed first. That is its right if the seals are those that we wanted.
  (void)::fcntl(region, F_ADD_SEALS, kFinalSeals);
  const int seals = ::fcntl(region, F_GET_SEALS);
  struct stat status {};
  if (seals < 0 || ::fstat(region, &status) != 0) return Status::IoError;
  const bool sealed = (seals & kFinalSeals) == kFinalSeals;
  const bool sized = static_cast<std::uint64_t>(status.st_size) == bytes;
  const bool populated = static_cast<std::uint64_t>(status.st_blocks) * 512 >= bytes;
  return sealed && sized && populated ? Status::Ok : Status::Broken;
}

}  // namespace cede::broker
