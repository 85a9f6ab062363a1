// SPDX-License-Identifier: Apache-2.0
// Reads a GUID partition table (UEFI 2.10, section 5.3). The disk's content is a guest's to write:
// every number is bounded and checked, and both checksums hold before a partition is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "protocols/status.h"

namespace cede::driver {

struct GptPartition {
  std::string name;  // UTF-8; what is not UTF-16 becomes U+FFFD
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // bytes, more than 0, within the disk
};

// Fills the span from that offset of the disk; false: it cannot be read.
using DiskReader = std::function<bool(std::uint64_t offset, std::span<std::byte> into)>;

// The table by its primary header, or by the backup in the last block where the primary is broken.
// Invalid: neither is sound.
[[nodiscard]] Result<std::vector<GptPartition>> read_gpt(const DiskReader& read,
                                                         std::uint64_t disk_bytes,
                                                         std::uint32_t logical_block);

}  // namespace cede::driver
