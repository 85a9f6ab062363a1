// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/eventfd_ends.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cede::qemu {
namespace {

constexpr unsigned kEntries = 1;

// From here on the ring does no-ops and nothing else. Debian 12's shared liburing does not export
// the two calls.
bool enable_for_nops(const io_uring& ring) {
  io_uring_restriction only{};
  only.opcode = IORING_RESTRICTION_SQE_OP;
  only.sqe_op = IORING_OP_NOP;
  const auto registers = [&](unsigned operation, void* argument, unsigned count) {
    return ::syscall(__NR_io_uring_register, ring.ring_fd, operation, argument, count) == 0;
  };
  return registers(IORING_REGISTER_RESTRICTIONS, &only, 1) &&
         registers(IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

}  // namespace

void InterruptEnd::Close::operator()(io_uring* ring) const noexcept {
  ::io_uring_queue_exit(ring);
  delete ring;
}

Result<InterruptEnd> InterruptEnd::make(int eventfd) {
  auto ring = std::make_unique<io_uring>();
  if (::io_uring_queue_init(kEntries, ring.get(), IORING_SETUP_R_DISABLED) != 0) {
    return Status::IoError;
  }
  InterruptEnd end;
  end.ring_.reset(ring.release());
  const bool ready =
      ::io_uring_register_eventfd(end.ring_.get(), eventfd) == 0 && enable_for_nops(*end.ring_);
  if (!ready) return Status::IoError;
  return end;
}

bool InterruptEnd::ring() noexcept {
  // None is left where the last submission failed; that one is submitted again then.
  if (io_uring_sqe* entry = ::io_uring_get_sqe(ring_.get()); entry != nullptr) {
    ::io_uring_prep_nop(entry);
  }
  const bool submitted = ::io_uring_submit(ring_.get()) > 0;
  ::io_uring_cq_advance(ring_.get(), ::io_uring_cq_ready(ring_.get()));
  return submitted;
}

Result<DoorbellEnd> DoorbellEnd::make(int eventfd) {
  Fd set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event edges{};
  edges.events = EPOLLIN | EPOLLET;
  if (!set || ::epoll_ctl(set.get(), EPOLL_CTL_ADD, eventfd, &edges) != 0) return Status::IoError;
  return DoorbellEnd(std::move(set));
}

bool DoorbellEnd::clear() noexcept {
  epoll_event event{};
  return ::epoll_wait(set_.get(), &event, 1, 0) > 0;
}

}  // namespace cede::qemu
