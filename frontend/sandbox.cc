// SPDX-License-Identifier: Apache-2.0
#include "frontend/sandbox.h"

#include <linux/if_tun.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>

#include <span>
#include <vector>

#include "protocols/posix/lockdown.h"

namespace cede::frontend {

namespace {

constexpr int kSystemCalls[] = {
    // the event loop
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(signalfd4),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    // front-ends and the broker: messages, descriptors, memory
    SCMP_SYS(listen),
    SCMP_SYS(accept4),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getpeername),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    SCMP_SYS(close),
    // memory for the library, doorbells and log lines, the end
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(futex),
    SCMP_SYS(write),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

constexpr int kAuditCalls[] = {
    SCMP_SYS(fallocate), SCMP_SYS(pwrite64),         SCMP_SYS(fcntl),
    SCMP_SYS(mprotect),  SCMP_SYS(remap_file_pages),
};

constexpr int kTapCalls[] = {SCMP_SYS(readv), SCMP_SYS(writev)};
constexpr lockdown::CallWithArgument kTapControls[] = {
    {.call = SCMP_SYS(ioctl), .argument = 1, .value = TUNSETCARRIER},
    {.call = SCMP_SYS(ioctl), .argument = 1, .value = TUNSETOFFLOAD},
};

}  // namespace

void enter_sandbox(const SandboxOptions& options) {
  if (!lockdown::leave_host(options.uid, options.gid)) {
    spdlog::warn(
        "no privilege to leave the file system; seccomp alone keeps this frontend from it");
  }
  std::vector<int> calls(std::begin(kSystemCalls), std::end(kSystemCalls));
  if (options.audit) calls.insert(calls.end(), std::begin(kAuditCalls), std::end(kAuditCalls));
  if (options.taps) calls.insert(calls.end(), std::begin(kTapCalls), std::end(kTapCalls));
  lockdown::allow_only(calls, options.taps ? std::span(kTapControls)
                                           : std::span<const lockdown::CallWithArgument>());
}

}  // namespace cede::frontend
