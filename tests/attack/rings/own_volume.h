// SPDX-License-Identifier: Apache-2.0
// Tells what is the attacker's own on the disk from what is the victim's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "tests/attack/client.h"

namespace cede::attack {

inline constexpr std::byte kOwnByte{0x11};

// From here on there is nothing else on the attacker's volume, nor in its pages: any other byte
// that shows up there was read from somebody else's volume.
inline void mark_own_volume(Disk& disk) {
  std::ranges::fill(disk.payload(), kOwnByte);
  const std::uint32_t bytes = disk.info.max_transfer;
  const std::uint64_t sectors = bytes / block::kSectorBytes;
  for (std::uint64_t sector = 0; sector + sectors <= disk.info.sectors; sector += sectors) {
    disk.submit(disk.request(VIRTIO_BLK_T_OUT, sector, bytes));
    if (const auto done = disk.answer(); !done || done->status != VIRTIO_BLK_S_OK) {
      throw std::runtime_error("the volume cannot be filled");
    }
  }
}

[[nodiscard]] inline bool has_foreign_bytes(std::span<const std::byte> payload) {
  return std::ranges::any_of(payload, [](std::byte byte) { return byte != kOwnByte; });
}

// The sector, far beyond the volume, whose byte offset is that of the victim's first one if the
// sum wraps: the attacker's volume follows the victim's, and is as long.
[[nodiscard]] inline std::uint64_t wrapping_sector(const Disk& disk) {
  return (std::uint64_t{1} << 55) - disk.info.sectors;
}

}  // namespace cede::attack
