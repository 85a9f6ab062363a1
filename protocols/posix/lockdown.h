// SPDX-License-Identifier: Apache-2.0
// Giving up, for good, whatever a domain's program does not need once it is set up.
//
// Order: enter_empty_root() and become() need privileges, forbid_gains() lets go of them,
// allow_only() comes last. Every function throws std::system_error where a promise cannot be kept;
// what depends on the machine says so by its result. For set-up, by the program's only thread.
// PR_SET_PDEATHSIG is the parent's to set before exec; a change of identity would clear it, so
// become() puts it back.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <system_error>

#include "protocols/posix/fd.h"

// In a sanitizer build the runtime makes calls of its own, and its leak check would have to trace a
// process that hides from tracers.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CEDE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CEDE_SANITIZED 1
#endif
#ifdef CEDE_SANITIZED
// NOLINTNEXTLINE(bugprone-reserved-identifier): the runtime's name for it
extern "C" __attribute__((used)) inline int __lsan_is_turned_off() {
  return 1;
}
#endif

namespace cede::lockdown {

namespace detail {
[[noreturn]] inline void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}
}  // namespace detail

// A directory that is empty, has no name any more, and in which nothing can be made.
[[nodiscard]] inline Fd make_empty_directory() {
  for (const char* place : {"/run", "/tmp", "/dev/shm"}) {
    std::string path = std::string(place) + "/cede-empty-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) continue;
    Fd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    ::rmdir(path.c_str());
    if (directory) return directory;
  }
  detail::fail("lockdown: no place for an empty directory");
}

// Leaves the mounts, networks and IPC objects of the host where that is possible, and the file
// system for an empty root. False: not privileged to, not even inside a user namespace; then
// allow_only() without open and connect calls has to do.
[[nodiscard]] inline bool enter_empty_root() {
  const Fd empty = make_empty_directory();
  constexpr int kApart = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC;
  if (::unshare(kApart) != 0 && ::geteuid() != 0) (void)::unshare(CLONE_NEWUSER | kApart);
  return ::fchdir(empty.get()) == 0 && ::chroot(".") == 0;
}

// Becomes that user and group and nobody else. Needs root.
inline void become(uid_t uid, gid_t gid) {
  int parent_death_signal = 0;
  (void)::prctl(PR_GET_PDEATHSIG, &parent_death_signal);
  if (::setgroups(0, nullptr) != 0) detail::fail("lockdown: cannot leave supplementary groups");
  if (::setresgid(gid, gid, gid) != 0) detail::fail("lockdown: cannot change the group");
  if (::setresuid(uid, uid, uid) != 0) detail::fail("lockdown: cannot change the user");
  if (parent_death_signal != 0) (void)::prctl(PR_SET_PDEATHSIG, parent_death_signal);
}

// Other processes of the same user can neither trace this one nor take its descriptors.
inline void become_undumpable() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) detail::fail("lockdown: cannot hide from ptrace");
}

// No privilege is gained any more, by exec or otherwise.
inline void forbid_gains() {
  become_undumpable();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    detail::fail("lockdown: cannot set no_new_privs");
  }
}

// All that comes before allow_only(), in its order; the identity, if any, is given whole. False: as
// of enter_empty_root().
[[nodiscard]] inline bool leave_host(std::optional<uid_t> uid, std::optional<gid_t> gid) {
  const bool rootless = enter_empty_root();
  if (uid) become(*uid, *gid);
  forbid_gains();
  return rootless;
}

// A call that is allowed with one value of one argument.
struct CallWithArgument {
  int call = 0;
  unsigned argument = 0;  // counted from 0
  std::uint64_t value = 0;
};

// From here on any other system call kills the process. io_uring operations are not system calls:
// restrict the ring as well.
inline void allow_only(std::span<const int> system_calls,
                       std::span<const CallWithArgument> with_argument = {}) {
  void* const filter = ::seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (filter == nullptr) detail::fail("lockdown: cannot make a seccomp filter");
  int result = 0;
  for (const int call : system_calls) {
    if (result == 0) result = ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  }
  for (const CallWithArgument& rule : with_argument) {
    const scmp_arg_cmp is{rule.argument, SCMP_CMP_EQ, rule.value, 0};
    if (result == 0) {
      result = ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule.call, 1, &is);
    }
  }
#ifdef CEDE_SANITIZED
  for (const int call : {SCMP_SYS(pipe),           SCMP_SYS(pipe2),
                         SCMP_SYS(read),           SCMP_SYS(write),
                         SCMP_SYS(close),          SCMP_SYS(sigaltstack),
                         SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
                         SCMP_SYS(getpid),         SCMP_SYS(gettid),
                         SCMP_SYS(mprotect),       SCMP_SYS(openat),
                         SCMP_SYS(readlink),       SCMP_SYS(prctl),
                         SCMP_SYS(tgkill),         SCMP_SYS(sched_getaffinity),
                         SCMP_SYS(getrlimit),      SCMP_SYS(prlimit64),
                         SCMP_SYS(gettimeofday),   SCMP_SYS(ioctl)}) {
    if (result == 0) result = ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  }
#endif
  if (result == 0) result = ::seccomp_load(filter);
  ::seccomp_release(filter);
  if (result != 0) {
    errno = -result;
    detail::fail("lockdown: cannot install the seccomp filter");
  }
}

}  // namespace cede::lockdown
