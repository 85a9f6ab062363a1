// SPDX-License-Identifier: Apache-2.0
// Attackers that are inside a system call, on a page whose fault in the kernel never ends, and
// victims that may hang because of them. Needs root, for userfaultfd; a file on FUSE does the same
// for anyone.
#pragma once

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <thread>

#include "protocols/posix/doorbell.h"
#include "protocols/posix/fd.h"

namespace cede::test {

inline constexpr int kHangs = 1'000;     // milliseconds without an end, where a hang is expected
inline constexpr int kReturns = 30'000;  // milliseconds that a victim may take on a busy machine
inline constexpr int kAttacks = 30'000;  // milliseconds until an attacker is in place

class Process {
 public:
  explicit Process(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { kill(); }

  [[nodiscard]] bool exits_within(int milliseconds) {
    for (int waited = 0; pid_ > 0; waited += 10) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return true;
      }
      if (waited >= milliseconds) return false;
      ::usleep(10'000);
    }
    return true;
  }
  void send_kill() const {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
  void kill() {
    send_kill();
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

// A page that no access ever comes back from, and a way to see that one has gone in.
class TrappedPage {
 public:
  TrappedPage() : faults_(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK))) {
    uffdio_api api{};
    api.api = UFFD_API;
    base_ = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uffdio_register range{};
    range.range = {reinterpret_cast<std::uint64_t>(base_), 4096};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (::ioctl(faults_.get(), UFFDIO_API, &api) != 0 ||
        ::ioctl(faults_.get(), UFFDIO_REGISTER, &range) != 0) {
      ::_exit(1);
    }
  }
  [[nodiscard]] void* base() const { return base_; }
  [[nodiscard]] bool caught() const {
    pollfd wait{.fd = faults_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, kAttacks) == 1 && (wait.revents & POLLERR) == 0;
  }

 private:
  Fd faults_;
  void* base_ = nullptr;
};

// A process that is inside `access`, on a trapped page, once ready() is true.
class Attacker {
 public:
  explicit Attacker(const std::function<void(void*)>& access) : Attacker(access, [] {}) {}
  // `once_caught` is what it does from another thread then.
  Attacker(const std::function<void(void*)>& access, const std::function<void()>& once_caught)
      : process_([&] {
          const TrappedPage page;
          std::thread(access, page.base()).detach();
          if (page.caught()) {
            once_caught();
            DoorbellRinger(std::move(in_place_.ringer)).ring();
          }
          ::pause();
        }) {}
  [[nodiscard]] bool ready() const {
    pollfd wait{.fd = in_place_.waiter.get(), .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, kAttacks) == 1;
  }
  void kill() { process_.kill(); }

 private:
  DoorbellEnds in_place_ = *make_doorbell();
  Process process_;
};

}  // namespace cede::test
