// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/disk.h"

#include "driver_vm/block/inline_disk.h"
#include "driver_vm/block/uring_disk.h"

namespace cede::driver {

std::span<const std::uint8_t> disk_operations() noexcept {
  static constexpr std::uint8_t kOperations[] = {IORING_OP_READ_FIXED, IORING_OP_WRITE_FIXED,
                                                 IORING_OP_FSYNC, IORING_OP_FALLOCATE};
  return kOperations;
}

std::unique_ptr<Disk> open_disk(int fd, const DiskFacts& facts, EventLoop& loop, std::size_t depth,
                                RequestMemory memory) {
  if (facts.in_memory) return std::make_unique<InlineDisk>(fd, facts, loop, depth);
  return std::make_unique<UringDisk>(fd, facts, loop, depth, memory);
}

}  // namespace cede::driver
