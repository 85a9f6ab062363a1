// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/eventfd_ends.h"

#include <sys/epoll.h>

namespace cede::qemu {
namespace {

constexpr unsigned kEntries = 1;

}  // namespace

void InterruptEnd::Close::operator()(io_uring* ring) const noexcept {
  ::io_uring_queue_exit(ring);
  delete ring;
}

Result<InterruptEnd> InterruptEnd::make(int eventfd) {
  auto ring = std::make_unique<io_uring>();
  if (::io_uring_queue_init(kEntries, ring.get(), 0) != 0) return Status::IoError;
  InterruptEnd end;
  end.ring_.reset(ring.release());
  if (::io_uring_register_eventfd(end.ring_.get(), eventfd) != 0) return Status::IoError;
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
