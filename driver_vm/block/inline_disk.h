// SPDX-License-Identifier: Apache-2.0
// A disk in memory: reads and writes are done on the spot, erases by io_uring's workers (freeing
// and zeroing many pages takes too long for the one thread).
#pragma once

#include "driver_vm/block/uring_disk.h"

namespace cede::driver {

class InlineDisk final : public Disk {
 public:
  // As UringDisk's. Throws std::system_error.
  InlineDisk(int fd, const DiskFacts& facts, EventLoop& loop, std::size_t depth)
      : fd_(fd), erases_(fd, facts, loop, depth, RequestMemory::Pinned) {}

  [[nodiscard]] const DiskFacts& facts() const noexcept override { return erases_.facts(); }
  void attach(DiskClient& client) noexcept override;
  void start(DiskRequest& request) override;
  void settle() noexcept override {}

 private:
  [[nodiscard]] DiskOutcome transfer(const DiskRequest& request) const noexcept;

  int fd_;
  UringDisk erases_;
  DiskClient* client_ = nullptr;
};

}  // namespace cede::driver
