// SPDX-License-Identifier: Apache-2.0
// One io_uring: everything that a worker waits for, and every operation it starts.
//
// Built in two steps, because io_uring is not subject to seccomp: the constructor makes the ring
// disabled, the set-up calls give it files, and start() limits it for good to the operations named
// there, then enables it. From then on it belongs to the thread that called start(). The ring is
// made before privileges are dropped, so a root driver's pinned pages are not held against
// RLIMIT_MEMLOCK.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "driver_vm/clock.h"
#include "protocols/status.h"

namespace cede::driver {

// Somebody who waits for an operation. Must outlive it: until complete() with `more` false.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // `result` as the kernel gives it: 0 or more, or a negated errno.
  virtual void complete(std::int32_t result, bool more) = 0;

 protected:
  ~Event() = default;
};

class EventLoop {
 public:
  static constexpr unsigned kEntries = 256;
  static constexpr unsigned kCompletions = 2048;
  static constexpr std::uint16_t kBuffers = 272;  // each session's region, and some of our own
  static constexpr std::uint16_t kNotPinned = UINT16_MAX;  // no buffer's index

  // Throws std::system_error.
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // Set-up, once: the files for operations with IOSQE_FIXED_FILE. Throws std::system_error.
  void register_files(std::span<const int> files);
  // From here on only polls and `operations` (IORING_OP_*) are possible. Throws std::system_error.
  void start(std::span<const std::uint8_t> operations);

  // Registers [memory) as a fixed buffer, which pins its pages; the result is its index. NoMemory:
  // over RLIMIT_MEMLOCK. Full: no index left.
  [[nodiscard]] Result<std::uint16_t> pin(std::span<std::byte> memory) noexcept;
  // No operation on the buffer may be in flight.
  void unpin(std::uint16_t buffer) noexcept;

  // A zeroed submission entry whose completion goes to `event`; submitted by poll() or sleep().
  [[nodiscard]] io_uring_sqe& prepare(Event& event);
  // Completes `event` at each edge of readability of `fd`, until unwatch() or an error.
  void watch(int fd, Event& event);
  // `event` completes once more, with `more` false. Not before start().
  void unwatch(Event& event);

  // Submits what is prepared and completes what is done, without waiting. True: something was done.
  bool poll();
  // The same, but waits for a completion or `until`.
  void sleep(Instant until);

 private:
  void submit();
  bool dispatch();

  io_uring ring_{};
  std::vector<std::uint16_t> free_buffers_;
};

}  // namespace cede::driver
