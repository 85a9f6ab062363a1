// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/sandbox.h"

#include <spdlog/spdlog.h>

#include <iterator>

namespace cede::driver {
namespace {

constexpr int kSystemCalls[] = {
    // the event loop, and polling
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(sched_yield),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    // sessions: descriptors in, messages out, regions mapped and let go
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(close),
    // memory for the library, log lines, the end
    SCMP_SYS(brk),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(write),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

// Messages and bells go to a socket's peer. A destination of its own choice, or a descriptor passed
// on (sendmsg), would be a way out: from a packet socket to every interface.
constexpr lockdown::CallWithArgument kSend{.call = SCMP_SYS(sendto), .argument = 4, .value = 0};

}  // namespace

void enter_sandbox(const Identity& identity, const DeviceCalls& device) {
  if (!lockdown::leave_host(identity.uid, identity.gid)) {
    spdlog::warn("no privilege to leave the file system; seccomp alone keeps this driver from it");
  }
  std::vector<int> calls(std::begin(kSystemCalls), std::end(kSystemCalls));
  calls.insert(calls.end(), device.calls.begin(), device.calls.end());
  std::vector<lockdown::CallWithArgument> with_argument = device.with_argument;
  with_argument.push_back(kSend);
  lockdown::allow_only(calls, with_argument);
}

}  // namespace cede::driver
