// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/engine/event_loop.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cede::driver {
namespace {

// Completions are run by this thread when it asks for them, and never by an interrupt: the first
// set needs Linux 6.1, the second 5.19.
constexpr unsigned kFlagSets[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    0,
};

[[noreturn]] void fail(int negated_errno, const char* what) {
  throw std::system_error(-negated_errno, std::system_category(), what);
}

// For the two calls that Debian 12's shared liburing does not export.
int register_raw(const io_uring& ring, unsigned operation, void* argument, unsigned count) {
  const long result = ::syscall(__NR_io_uring_register, ring.ring_fd, operation, argument, count);
  return result < 0 ? -errno : static_cast<int>(result);
}

io_uring_restriction allow(std::uint16_t what, std::uint8_t value) {
  io_uring_restriction restriction{};
  restriction.opcode = what;
  restriction.register_op = value;  // one byte of a union: the operation, or the flags
  return restriction;
}

}  // namespace

EventLoop::EventLoop() {
  int result = -EINVAL;
  for (const unsigned flags : kFlagSets) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE;
    params.cq_entries = kCompletions;
    result = io_uring_queue_init_params(kEntries, &ring_, &params);
    if (result != -EINVAL) break;
  }
  if (result < 0) fail(result, "io_uring cannot be set up (see kernel.io_uring_disabled)");
  result = io_uring_register_buffers_sparse(&ring_, kBuffers);
  if (result < 0) {
    io_uring_queue_exit(&ring_);
    fail(result, "io_uring has no sparse buffer table (needs Linux 5.19)");
  }
  for (std::uint16_t i = kBuffers; i-- > 0;) free_buffers_.push_back(i);
}

EventLoop::~EventLoop() {
  io_uring_queue_exit(&ring_);
}

void EventLoop::register_files(std::span<const int> files) {
  const int result =
      io_uring_register_files(&ring_, files.data(), static_cast<unsigned>(files.size()));
  if (result < 0) fail(result, "io_uring cannot register the device's file");
}

void EventLoop::start(std::span<const std::uint8_t> operations) {
  std::vector<io_uring_restriction> restrictions = {
      allow(IORING_RESTRICTION_SQE_OP, IORING_OP_POLL_ADD),
      allow(IORING_RESTRICTION_SQE_OP, IORING_OP_ASYNC_CANCEL),
      allow(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, IOSQE_FIXED_FILE),
      allow(IORING_RESTRICTION_REGISTER_OP, IORING_REGISTER_BUFFERS_UPDATE),
  };
  for (const std::uint8_t operation : operations) {
    restrictions.push_back(allow(IORING_RESTRICTION_SQE_OP, operation));
  }
  int result = register_raw(ring_, IORING_REGISTER_RESTRICTIONS, restrictions.data(),
                            static_cast<unsigned>(restrictions.size()));
  if (result < 0) fail(result, "io_uring cannot be restricted");
  // Saves a reference to the file at each call; nothing is lost where it is not to be had.
  (void)io_uring_register_ring_fd(&ring_);
  result = register_raw(ring_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) fail(result, "io_uring cannot be enabled");
}

Result<std::uint16_t> EventLoop::pin(std::span<std::byte> memory) noexcept {
  if (free_buffers_.empty()) return Status::Full;
  const std::uint16_t buffer = free_buffers_.back();
  const iovec range{memory.data(), memory.size()};
  const __u64 no_tag = 0;
  if (io_uring_register_buffers_update_tag(&ring_, buffer, &range, &no_tag, 1) != 1) {
    return Status::NoMemory;
  }
  free_buffers_.pop_back();
  return buffer;
}

void EventLoop::unpin(std::uint16_t buffer) noexcept {
  const iovec nothing{};
  const __u64 no_tag = 0;
  io_uring_register_buffers_update_tag(&ring_, buffer, &nothing, &no_tag, 1);
  free_buffers_.push_back(buffer);
}

io_uring_sqe& EventLoop::prepare(Event& event) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  *entry = {};
  entry->user_data = reinterpret_cast<std::uint64_t>(&event);
  return *entry;
}

void EventLoop::watch(int fd, Event& event) {
  io_uring_sqe& entry = prepare(event);
  const std::uint64_t user_data = entry.user_data;
  io_uring_prep_poll_multishot(&entry, fd, POLLIN);
  entry.user_data = user_data;
}

void EventLoop::unwatch(Event& event) {
  // Not a poll removal, which does nothing (EALREADY) while an edge is just being reported.
  // The cancellation's own completion has nobody to go to: user data 0.
  io_uring_sqe& entry = prepare(event);
  io_uring_prep_cancel64(&entry, reinterpret_cast<std::uint64_t>(&event), 0);
  entry.user_data = 0;
}

void EventLoop::submit() {
  const int result = io_uring_submit(&ring_);
  if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
    fail(result, "io_uring does not take operations any more");
  }
}

bool EventLoop::poll() {
  constexpr unsigned kKernelHasMore = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
  if (io_uring_sq_ready(&ring_) != 0) {
    (void)io_uring_submit_and_get_events(&ring_);
  } else if ((__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & kKernelHasMore) != 0) {
    (void)io_uring_get_events(&ring_);
  }
  return dispatch();
}

void EventLoop::sleep(Instant until) {
  io_uring_cqe* first = nullptr;
  if (until == kNever) {
    (void)io_uring_submit_and_wait(&ring_, 1);
  } else {
    const Instant now = monotonic_now();
    const Duration left = until > now ? until - now : 0;
    __kernel_timespec timeout{.tv_sec = static_cast<__kernel_time64_t>(left / kSecond),
                              .tv_nsec = static_cast<long long>(left % kSecond)};
    (void)io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
  }
  dispatch();
}

bool EventLoop::dispatch() {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    ++count;
    auto* event = static_cast<Event*>(io_uring_cqe_get_data(entry));
    if (event == nullptr) continue;
    event->complete(entry->res, (entry->flags & IORING_CQE_F_MORE) != 0);
  }
  io_uring_cq_advance(&ring_, count);
  return count != 0;
}

}  // namespace cede::driver
