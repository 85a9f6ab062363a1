// SPDX-License-Identifier: Apache-2.0
// The host's ends of an ivshmem device's eventfds, without the eventfds.
//
// For interrupts and doorbells QEMU and KVM take nothing but eventfds. Whoever holds one open
// together with a QEMU that its guest has taken over can be hung by it, in three ways: a write
// blocks once QEMU has cleared O_NONBLOCK and saturated the counter; a read blocks once it has
// cleared O_NONBLOCK and emptied the counter; and the last close() waits for a mutex that QEMU can
// hold for ever (tests/unit/protocols/doorbell_hang_test.cc). Asking for readiness first does not
// help, for QEMU may act in between; nor does RWF_NOWAIT, which eventfds know for reads only.
//
// So the ends here do none of the three. Each is made from an eventfd that nobody else has yet, and
// keeps something that refers to it without being its open file: the maker closes the descriptor
// before anybody else gets it, and QEMU becomes its only holder.
//
// InterruptEnd   an io_uring of our own, with the eventfd registered. At each completion the kernel
//                signals it as KVM does (eventfd_signal): that looks at no flag, saturates, and
//                waits for nobody. The completion is a no-op's, done within its submission, and
//                the ring can do nothing else: a sandbox's filter does not see into rings.
// DoorbellEnd    an epoll set with the eventfd in it, edge-triggered. Every write to an eventfd is
//                an edge, whatever the counter is, so there is no need to ever read it.
//
// What QEMU can still do is lose its own interrupts, and ring. One thread at a time.
#pragma once

#include <liburing.h>

#include <memory>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

class InterruptEnd {
 public:
  // Borrows the eventfd for the call. IoError: no io_uring on this machine, or no memory for one.
  [[nodiscard]] static Result<InterruptEnd> make(int eventfd);

  // Signals the eventfd. False: no memory just now, nothing was signalled; try again later.
  [[nodiscard]] bool ring() noexcept;

 private:
  struct Close {
    void operator()(io_uring* ring) const noexcept;
  };
  std::unique_ptr<io_uring, Close> ring_;
};

class DoorbellEnd {
 public:
  // Borrows the eventfd for the call.
  [[nodiscard]] static Result<DoorbellEnd> make(int eventfd);

  // Readable when it was rung since the last clear().
  [[nodiscard]] int fd() const noexcept { return set_.get(); }
  // True if it was rung.
  bool clear() noexcept;

 private:
  explicit DoorbellEnd(Fd set) noexcept : set_(std::move(set)) {}
  Fd set_;
};

}  // namespace cede::qemu
