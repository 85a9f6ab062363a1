// SPDX-License-Identifier: Apache-2.0
// What a disk is and what it can do, found out once, before the sandbox closes.
#pragma once

#include <cstdint>
#include <string>

namespace cede::driver {

struct DiskFacts {
  std::uint64_t bytes = 0;           // a multiple of the logical block
  std::uint32_t logical_block = 0;   // 512 to 4096
  std::uint32_t physical_block = 0;  // logical_block to 65536
  bool read_only = false;
  bool in_memory = false;       // tmpfs or ramfs: an access cannot wait for a device
  bool can_punch = false;       // fallocate(PUNCH_HOLE)
  bool can_zero_range = false;  // fallocate(ZERO_RANGE)
  bool can_allocate = false;    // fallocate(0)
};

// 0: as the disk says; for a file 512 and 4096.
struct BlockSizes {
  std::uint32_t logical = 0;
  std::uint32_t physical = 0;
};

// `name` is for messages. Leaves the disk's content and size as they are. Throws SetupError.
[[nodiscard]] DiskFacts inspect_disk(int fd, const std::string& name, BlockSizes wanted);

}  // namespace cede::driver
