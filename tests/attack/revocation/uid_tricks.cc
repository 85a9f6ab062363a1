// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/attack/attack.h"
#include "tests/attack/siege.h"

namespace cede::attack {
namespace {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name{};
};

Process look_at(const std::filesystem::path& directory) {
  Process process;
  process.pid = std::atoi(directory.filename().c_str());
  std::ifstream status(directory / "status");
  for (std::string key; status >> key;) {
    if (key == "Name:") status >> process.name;
    if (key == "PPid:") status >> process.parent;
  }
  return process;
}

// Those of its own system, and of no other that may run here: its parent, and its parent's
// children.
std::vector<Process> neighbours() {
  std::vector<Process> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const Process process = look_at(entry.path());
    const bool related = process.pid == ::getppid() || process.parent == ::getppid();
    if (process.pid > 1 && process.pid != ::getpid() && related) found.push_back(process);
  }
  return found;
}

long open_of(pid_t pid, const char* file, int flags) {
  return ::open(("/proc/" + std::to_string(pid) + file).c_str(), flags | O_CLOEXEC);
}

using Trick = long (*)(pid_t);

struct NamedTrick {
  const char* what;
  Trick play;
};

Fd pidfd_of(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

constexpr std::array kTricks{
    NamedTrick{"is traced",
               [](pid_t pid) { return ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr); }},
    NamedTrick{"is killed", [](pid_t pid) -> long { return ::kill(pid, SIGKILL); }},
    NamedTrick{"is stopped", [](pid_t pid) -> long { return ::kill(pid, SIGSTOP); }},
    NamedTrick{"shows its memory", [](pid_t pid) { return open_of(pid, "/mem", O_RDWR); }},
    NamedTrick{"shows its descriptors",
               [](pid_t pid) { return open_of(pid, "/fd", O_RDONLY | O_DIRECTORY); }},
    NamedTrick{"shows its mappings",
               [](pid_t pid) { return open_of(pid, "/map_files", O_RDONLY | O_DIRECTORY); }},
    NamedTrick{"is proposed to the OOM killer",
               [](pid_t pid) { return open_of(pid, "/oom_score_adj", O_WRONLY); }},
    NamedTrick{"is robbed of a descriptor",
               [](pid_t pid) { return ::syscall(SYS_pidfd_getfd, pidfd_of(pid).get(), 3, 0); }},
    NamedTrick{"is paged out",
               [](pid_t pid) {
                 const iovec all{nullptr, 1UL << 40};
                 return ::syscall(SYS_process_madvise, pidfd_of(pid).get(), &all, 1, MADV_PAGEOUT,
                                  0);
               }},
    NamedTrick{"is written to",
               [](pid_t pid) -> long {
                 char byte = 0;
                 const iovec here{&byte, 1};
                 const iovec there{reinterpret_cast<void*>(0x400000), 1};
                 return ::process_vm_writev(pid, &here, 1, &there, 1, 0);
               }},
    NamedTrick{"gets a limit",
               [](pid_t pid) -> long {
                 const rlimit none{0, 0};
                 return ::prlimit(pid, RLIMIT_NOFILE, &none, nullptr);
               }},
    NamedTrick{
        "is slowed down",
        [](pid_t pid) -> long { return ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 19); }},
    NamedTrick{"is bound to a CPU",
               [](pid_t pid) -> long {
                 cpu_set_t first;
                 CPU_ZERO(&first);
                 CPU_SET(0, &first);
                 return ::sched_setaffinity(pid, sizeof first, &first);
               }},
};

// On one after the other, as far as the first on whom it works.
long play(Trick trick, const std::vector<Process>& on) {
  long result = -1;
  for (auto process = on.begin(); process != on.end() && result < 0; ++process) {
    result = trick(process->pid);
  }
  return result;
}

void run(Client& client) {
  const std::vector<Process> all = neighbours();
  std::string names = "on";
  for (const Process& process : all) names += ' ' + process.name;
  client.stage().note(names);
  std::vector<Attempt> attempts;
  for (const auto& [what, trick] : kTricks) {
    attempts.push_back(
        {std::string("one of them ") + what, [&all, trick = trick] { return play(trick, all); }});
  }
  besiege(client, attempts);
}

const Entry entry{{.name = "uid-tricks",
                   .family = "revocation",
                   .source = "ptrace(2), pidfd_getfd(2), process_madvise(2): for the same uid only",
                   .does = "traces, reads, robs, limits and kills broker, drivers and clients",
                   .holds = "each is another user's, and the kernel refuses",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
