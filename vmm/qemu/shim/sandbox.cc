// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/shim/sandbox.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include "protocols/posix/lockdown.h"

namespace cede::qemu {
namespace {

constexpr int kSystemCalls[] = {
    // the event loop, and each session's bells
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    // messages; descriptors in from the broker, and regions' on to QEMU
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(close),
    // memory for the library, log lines, the end
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(write),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

constexpr lockdown::CallWithArgument kLookAtSeals[] = {
    {.call = SCMP_SYS(fcntl), .argument = 1, .value = F_GET_SEALS},
};

}  // namespace

void enter_sandbox(std::optional<uid_t> uid, std::optional<gid_t> gid) {
  if (!lockdown::leave_host(uid, gid)) {
    spdlog::warn("no privilege to leave the file system; seccomp alone keeps this shim from it");
  }
  lockdown::allow_only(kSystemCalls, kLookAtSeals);
}

}  // namespace cede::qemu
