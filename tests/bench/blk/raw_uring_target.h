// SPDX-License-Identifier: Apache-2.0
// The yardstick: io_uring on the file itself, with registered buffers and a registered file.
#pragma once

#include <liburing.h>

#include <stdexcept>

#include "protocols/posix/fd.h"
#include "tests/bench/blk/load.h"

namespace cede::bench {

class RawUringTarget {
 public:
  explicit RawUringTarget(Fd file) : file_(std::move(file)), memory_(kMaxPayload) {
    io_uring_params params{};
    params.flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    if (io_uring_queue_init_params(2 * kMaxDepth, &ring_, &params) != 0 &&
        io_uring_queue_init(2 * kMaxDepth, &ring_, 0) != 0) {
      throw std::runtime_error("io_uring is not available (see kernel.io_uring_disabled)");
    }
    const iovec buffer{memory_.data(), memory_.size()};
    const int file_number = file_.get();
    if (io_uring_register_buffers(&ring_, &buffer, 1) != 0 ||
        io_uring_register_files(&ring_, &file_number, 1) != 0) {
      io_uring_queue_exit(&ring_);
      throw std::runtime_error("cannot register the benchmark's buffers with io_uring");
    }
    (void)io_uring_register_ring_fd(
        &ring_);  // spares a look-up at each call, where it is to be had
  }
  RawUringTarget(const RawUringTarget&) = delete;
  RawUringTarget& operator=(const RawUringTarget&) = delete;
  ~RawUringTarget() { io_uring_queue_exit(&ring_); }

  void prepare(std::uint32_t /*depth*/, std::uint32_t bytes) { bytes_ = bytes; }
  [[nodiscard]] std::span<std::byte> buffer(std::uint32_t slot) {
    return std::span(memory_).subspan(std::size_t{slot} * bytes_, bytes_);
  }

  void submit(std::uint32_t slot, bool write, std::uint64_t sector) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    std::byte* data = buffer(slot).data();
    if (write) {
      io_uring_prep_write_fixed(entry, 0, data, bytes_, sector * 512, 0);
    } else {
      io_uring_prep_read_fixed(entry, 0, data, bytes_, sector * 512, 0);
    }
    io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(entry, slot);
  }
  void publish() {
    if (io_uring_sq_ready(&ring_) != 0) io_uring_submit_and_get_events(&ring_);
  }

  std::size_t poll(std::span<Done> out) {
    if ((__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0) {
      io_uring_get_events(&ring_);
    }
    std::array<io_uring_cqe*, kMaxDepth> entries;
    const unsigned count =
        io_uring_peek_batch_cqe(&ring_, entries.data(), static_cast<unsigned>(out.size()));
    for (unsigned i = 0; i < count; ++i) {
      out[i] = {static_cast<std::uint32_t>(entries[i]->user_data),
                entries[i]->res == static_cast<int>(bytes_)};
    }
    io_uring_cq_advance(&ring_, count);
    return count;
  }
  void wait(int milliseconds) {
    __kernel_timespec timeout{.tv_sec = milliseconds / 1000,
                              .tv_nsec = milliseconds % 1000 * 1'000'000LL};
    io_uring_cqe* entry = nullptr;
    (void)io_uring_wait_cqes(&ring_, &entry, 1, &timeout, nullptr);
  }

 private:
  Fd file_;
  std::vector<std::byte> memory_;
  std::uint32_t bytes_ = 0;
  io_uring ring_{};
};

}  // namespace cede::bench
