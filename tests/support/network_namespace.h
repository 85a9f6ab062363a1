// SPDX-License-Identifier: Apache-2.0
// A network namespace of the test's own, which goes with its last process and descriptor: no name,
// nothing to clean up. Needs root, and iproute2 for what is done by commands.
#pragma once

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "protocols/posix/fd.h"

namespace cede::test {

class NetworkNamespace {
 public:
  struct Outcome {
    int status = -1;  // what the command exited with
    std::string output;
  };

  // Throws std::system_error.
  NetworkNamespace() {
    in_thread([this] {
      require(::unshare(CLONE_NEWNET), "a network namespace");
      fd_ = Fd(require(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "its descriptor"));
    });
    must("ip link set lo up");
  }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // For who wants a file; good for as long as this process lives. ip(8) takes it for a name.
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd());
  }

  // Runs `work` on a thread of this namespace, and waits for it.
  void run(const std::function<void()>& work) const {
    in_thread([&] {
      require(::setns(fd_.get(), CLONE_NEWNET), "entering a network namespace");
      work();
    });
  }
  // Runs a shell command here. Its output is both streams.
  [[nodiscard]] Outcome command(const std::string& line) const {
    Outcome outcome;
    run([&] {
      std::FILE* const pipe = ::popen(("{ " + line + "; } 2>&1").c_str(), "r");
      if (pipe == nullptr) throw std::runtime_error("cannot run: " + line);
      std::array<char, 4096> text;
      for (std::size_t size = 0; (size = std::fread(text.data(), 1, text.size(), pipe)) != 0;) {
        outcome.output.append(text.data(), size);
      }
      const int status = ::pclose(pipe);
      outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    });
    return outcome;
  }
  void must(const std::string& line) const {
    const Outcome outcome = command(line);
    if (outcome.status != 0) throw std::runtime_error(line + ": " + outcome.output);
  }

  // A TAP made here, one descriptor for each queue, as the supervisor opens them.
  [[nodiscard]] std::vector<Fd> open_tap(const std::string& name, unsigned queues = 1) const {
    std::vector<Fd> fds;
    run([&] {
      for (unsigned i = 0; i < queues; ++i) {
        Fd fd(require(::open("/dev/net/tun", O_RDWR | O_CLOEXEC), "/dev/net/tun"));
        attach_tap(fd.get(), name, queues);
        fds.push_back(std::move(fd));
      }
    });
    return fds;
  }
  // Makes the TAP, or adds a queue to it, behind an open file that has none (any more).
  static void attach_tap(int fd, const std::string& name, unsigned queues) {
    ifreq request{};
    std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
    request.ifr_flags =
        static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
    require(::ioctl(fd, TUNSETIFF, &request), "a TAP");
  }

 private:
  static int require(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::system_category(), what);
    return result;
  }
  // A thread's namespace is its own: the caller's stays what it is.
  static void in_thread(const std::function<void()>& work) {
    std::exception_ptr failure;
    std::thread([&] {
      try {
        work();
      } catch (...) {
        failure = std::current_exception();
      }
    }).join();
    if (failure) std::rethrow_exception(failure);
  }

  Fd fd_;
};

}  // namespace cede::test
