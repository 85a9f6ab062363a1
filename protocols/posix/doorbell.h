// SPDX-License-Identifier: Apache-2.0
// Doorbells: one direction each, a Unix datagram pair, one end for each side.
//
// No call here can block, whatever the peer does. That rests on one rule: a side never touches an
// open file that its peer holds too. An eventfd breaks it, for it has no end that can only be
// waited for: its waiter can clear O_NONBLOCK and saturate the counter, and the ringer's next
// write never returns. A pipe has two ends but one mutex, and holds it while it copies from a page
// that may never come. Two sockets share nothing but a bounded queue.
// tests/unit/protocols/doorbell_test.cc and doorbell_hang_test.cc try all of this.
#pragma once

#include <sys/socket.h>

#include <utility>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede {

// Rings the peer. A full queue is a peer that has been rung already.
class DoorbellRinger {
 public:
  explicit DoorbellRinger(Fd fd) noexcept : fd_(std::move(fd)) {}
  void ring() const noexcept {
    const char bell = 1;
    [[maybe_unused]] const ssize_t done =
        ::send(fd_.get(), &bell, sizeof bell, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

 private:
  Fd fd_;
};

// Wait for fd() to become readable, clear(), then look at the rings. Waiting for edges only
// (EPOLLET, a multishot poll) is good enough: clear() makes room, so a later ring is a new edge.
class DoorbellWaiter {
 public:
  explicit DoorbellWaiter(Fd fd) noexcept : fd_(std::move(fd)) {}
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Bounded: a peer that rings without end must not hold us here.
  void clear() const noexcept {
    char bell = 0;
    for (int i = 0; i < 32 && ::recv(fd_.get(), &bell, sizeof bell, MSG_DONTWAIT) > 0; ++i) {
    }
  }

 private:
  Fd fd_;
};

// The kick wakes the driver, the call wakes the client.
using KickRinger = DoorbellRinger;
using KickWaiter = DoorbellWaiter;
using CallRinger = DoorbellRinger;
using CallWaiter = DoorbellWaiter;

// One doorbell as the broker makes it: each end goes to one side and to nobody else.
struct DoorbellEnds {
  Fd ringer;
  Fd waiter;
};
// A bell carries no descriptors: the waiter would have to close them, and the last close of a
// socket that lingers blocks. Linux 6.16 can refuse them at the sender (SO_PASSRIGHTS, not in older
// headers); before that a client whose sandbox lets it have such a socket can delay its driver.
inline constexpr int kPassRights = 83;
[[nodiscard]] inline Result<DoorbellEnds> make_doorbell() noexcept {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) return Status::IoError;
  const int no = 0;
  for (const int end : ends) {
    (void)::setsockopt(end, SOL_SOCKET, kPassRights, &no, sizeof no);  // fails on older kernels
  }
  return DoorbellEnds{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace cede
