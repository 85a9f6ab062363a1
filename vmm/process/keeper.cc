// SPDX-License-Identifier: Apache-2.0
#include "vmm/process/keeper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "protocols/posix/channel.h"
#include "vmm/process/backoff.h"
#include "vmm/process/deadline.h"

namespace cede {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kForever = std::chrono::hours(24 * 365);

// One packet: a descriptor to keep comes with its name, a child to reap by its number. The answer
// to the latter is a wait status.
struct Request {
  pid_t child = 0;  // 0: keep
  std::array<char, KeeperLink::kMaxName + 1> name{};
};

std::runtime_error failure(const char* what) {
  return std::runtime_error(std::string("cannot ") + what + ": " +
                            std::generic_category().message(errno));
}

std::vector<pid_t> children_of(pid_t process) {
  const std::string id = std::to_string(process);
  std::ifstream list("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; list >> child;) children.push_back(child);
  return children;
}

std::vector<pid_t> children_but(const std::vector<pid_t>& strangers, pid_t parent) {
  std::vector<pid_t> children = children_of(parent);
  std::erase_if(children, [&](pid_t child) {
    return std::ranges::find(strangers, child) != strangers.end();
  });
  return children;
}

class Keeper {
 public:
  Keeper() {
    sigemptyset(&mask_);
    sigaddset(&mask_, SIGTERM);
    sigaddset(&mask_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &mask_, &before_);
    signals_ = Fd(::signalfd(-1, &mask_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw failure("listen to signals");
  }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() {
    end_children();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  // The wait status of one life.
  int run(const std::function<int(KeeperLink&, unsigned)>& work, unsigned life) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw failure("make a socket");
    }
    socket_ = Fd(ends[0]);
    Fd theirs(ends[1]);
    const pid_t keeper = ::getpid();
    kept_ = ::fork();
    if (kept_ < 0) throw failure("start a process");
    if (kept_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != keeper) ::_exit(1);
      socket_.reset();
      signals_.reset();
      KeeperLink link(std::move(theirs), std::move(store_), strangers_);
      ::_exit(work(link, life));
    }
    if (stop_) ::kill(kept_, SIGTERM);
    return attend();
  }

  // Waits before another life.
  void pause(milliseconds time) {
    if (wait_readable(signals_.get(), Deadline(time))) note_signals();
  }

 private:
  // Until the kept process has ended.
  int attend() {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, kept_, 0)));
    if (!process) throw failure("watch a process");
    std::array<pollfd, 3> watched{{{.fd = process.get(), .events = POLLIN, .revents = 0},
                                   {.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                   {.fd = socket_.get(), .events = POLLIN, .revents = 0}}};
    while ((watched[0].revents & POLLIN) == 0) {
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) throw failure("wait");
      if (note_signals()) ::kill(kept_, SIGTERM);
      if (!serve()) watched[2].fd = -1;  // it has closed its end, and will end soon
    }
    serve();  // what was its last word
    int status = 0;
    (void)::waitpid(kept_, &status, 0);
    return status;
  }

  bool note_signals() {
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) stop_ = true;
    return stop_;
  }

  // Every request that has come. False: there will be no more.
  bool serve() {
    Request request;
    while (true) {
      auto packet =
          receive_packet(socket_.get(), std::as_writable_bytes(std::span(&request, 1)), 1);
      if (!packet) return packet.status() == Status::Busy;
      if (packet->bytes != sizeof request) return false;
      if (request.child != 0) {
        int status = 0;
        (void)::waitpid(request.child, &status, 0);
        (void)send_packet(socket_.get(), std::as_bytes(std::span(&status, 1)));
      } else {
        store_[request.name.data()] = std::move(packet->fds[0]);
      }
    }
  }

  // Those of a kept process that has not ended them itself.
  void end_children() const {
    for (const pid_t child : children_but(strangers_, ::getpid())) {
      ::kill(child, SIGKILL);
      (void)::waitpid(child, nullptr, 0);
    }
  }

  sigset_t mask_{};
  sigset_t before_{};
  Fd signals_;
  Fd socket_;
  KeeperLink::Store store_;
  const std::vector<pid_t> strangers_ = children_of(::getpid());
  pid_t kept_ = 0;
  bool stop_ = false;
};

}  // namespace

void KeeperLink::keep(std::string_view name, int fd) {
  Request request;
  name.substr(0, kMaxName).copy(request.name.data(), kMaxName);
  Status status = Status::Busy;
  while (status == Status::Busy) {
    status = send_packet(socket_.get(), std::as_bytes(std::span(&request, 1)), {&fd, 1});
    pollfd writable{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    if (status == Status::Busy) (void)::poll(&writable, 1, -1);
  }
  if (status != Status::Ok) throw failure("keep a descriptor");
}

Fd KeeperLink::take(std::string_view name) {
  const auto found = store_.find(name);
  if (found == store_.end()) return {};
  Fd fd = std::move(found->second);
  store_.erase(found);
  return fd;
}

int KeeperLink::reap(pid_t child) {
  const Request request{.child = child};
  int status = 0;
  (void)send_packet(socket_.get(), std::as_bytes(std::span(&request, 1)));
  if (wait_readable(socket_.get(), Deadline(kForever))) {
    (void)receive_packet(socket_.get(), std::as_writable_bytes(std::span(&status, 1)), 0);
  }
  return status;
}

bool KeeperLink::has_child(pid_t process) const {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(stat, line);
  const std::size_t name_end = line.rfind(") ");  // a name may have anything in it
  constexpr std::size_t kToParent = 4;            // over the state, a letter
  return name_end != std::string::npos && name_end + kToParent < line.size() &&
         std::atoi(line.c_str() + name_end + kToParent) == ::getppid();
}

std::vector<pid_t> KeeperLink::children() const {
  std::vector<pid_t> children = children_but(strangers_, ::getppid());
  std::erase(children, ::getpid());
  return children;
}

int keep(const std::function<int(KeeperLink& keeper, unsigned life)>& work) {
  Keeper keeper;
  Backoff backoff;
  for (unsigned life = 1;; ++life) {
    const auto begin = steady_clock::now();
    const int status = keeper.run(work, life);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    keeper.pause(
        backoff.next(std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin)));
  }
}

}  // namespace cede
