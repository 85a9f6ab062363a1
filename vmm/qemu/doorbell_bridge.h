// SPDX-License-Identifier: Apache-2.0
// Carries one session's bells between its client and a driver domain that is a VM.
//
//   client --kick (datagram pair)--> bridge --InterruptEnd--> eventfd, KVM or QEMU --> MSI-X
//   guest --register--> KVM or QEMU, eventfd --DoorbellEnd--> bridge --call (datagram pair)-->
//   client
//
// The client's ends of the pairs are the broker's (protocols/posix/doorbell.h); the eventfds are
// IvshmemServer's and known to QEMU only. Neither side gets a descriptor of the other's, and the
// bridge touches no open file that either holds (eventfd_ends.h), so no call here can block.
//
// Bells are coalesced: whatever was rung between two turns is one bell on the other side. None is
// lost. Each direction has a BellGuard of its own, for interrupts cost a guest more than they cost
// who causes them. The bridge does not see the rings, so it cannot know which bells announce work.
// It takes for honest what comes no oftener than once in kFair, faster than a guest can fall asleep
// and be woken. What exceeds that makes the bridge deaf, a millisecond at first, and longer from
// storm to storm; when it hears again, what was rung meanwhile is one bell.
// Who does see the rings, the driver in the guest, can have a client's kicks held back
// (hold_kicks).
//
// Ownership: the client's ends go with the session and are the bridge's; the eventfds' ends stay
// with the VM, are borrowed, and serve the next session. One thread at a time.
#pragma once

#include <array>
#include <cstdint>

#include "protocols/bell_guard.h"
#include "protocols/posix/doorbell.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"
#include "vmm/qemu/eventfd_ends.h"

namespace cede::qemu {

class DoorbellBridge {
 public:
  using Nanoseconds = BellGuard::Nanoseconds;  // of the monotonic clock, where it is a time
  static constexpr Nanoseconds kFair = 20'000;
  static constexpr Nanoseconds kRetry = 1'000'000;
  static constexpr Nanoseconds kNever = UINT64_MAX;

  struct Counts {
    std::uint64_t heard = 0;   // turns that found a bell
    std::uint64_t storms = 0;  // times that the bridge went deaf
  };

  // Both references outlive the bridge. What the guest rang before is forgotten. IoError: no
  // descriptor or no memory for another epoll set, or QEMU watches the eventfd too often.
  [[nodiscard]] static Result<DoorbellBridge> make(KickWaiter kick, CallRinger call,
                                                   InterruptEnd& interrupt, DoorbellEnd& doorbell);

  // Call turn() when fd() is readable (a level), and at deadline().
  [[nodiscard]] int fd() const noexcept { return set_.get(); }
  [[nodiscard]] Nanoseconds deadline() const noexcept;
  // One bounded round: at most one bell in each direction.
  void turn(Nanoseconds now) noexcept;

  // No kick is passed on before `until`.
  void hold_kicks(Nanoseconds until) noexcept { set_deaf(kKick, until); }

  [[nodiscard]] const Counts& kicks() const noexcept { return ways_[kKick].counts; }
  [[nodiscard]] const Counts& calls() const noexcept { return ways_[kCall].counts; }

 private:
  enum Direction : std::uint32_t { kKick, kCall };

  struct Way {
    BellGuard guard;
    Nanoseconds fair_until = 0;       // bells up to then have been accounted for
    Nanoseconds deaf_until = kNever;  // kNever: not deaf
    bool listening = false;
    Counts counts;
  };

  DoorbellBridge(KickWaiter kick, CallRinger call, InterruptEnd& interrupt, DoorbellEnd& doorbell,
                 Fd set) noexcept;
  [[nodiscard]] bool listen(Direction direction) noexcept;
  void set_deaf(Direction direction, Nanoseconds until) noexcept;
  void judge(Direction direction, Nanoseconds now) noexcept;
  [[nodiscard]] int source(Direction direction) const noexcept {
    return direction == kKick ? kick_.fd() : doorbell_->fd();
  }

  KickWaiter kick_;
  CallRinger call_;
  InterruptEnd* interrupt_;
  DoorbellEnd* doorbell_;
  Fd set_;
  std::array<Way, 2> ways_;
  Nanoseconds retry_ = kNever;  // an interrupt is owed: there was no memory for it
};

}  // namespace cede::qemu
