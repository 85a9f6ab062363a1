// SPDX-License-Identifier: Apache-2.0
// A volume: one client's extent of the disk, checked against the disk and against the others.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "driver_vm/block/disk_facts.h"
#include "driver_vm/block/export_spec.h"
#include "driver_vm/block/gpt.h"
#include "protocols/block.h"

namespace cede::driver {

struct Volume {
  std::uint32_t device = 0;
  std::string name;
  std::uint64_t offset = 0;  // bytes on the disk; both multiples of the logical block
  std::uint64_t length = 0;
  bool read_only = false;
  std::uint32_t weight = 1;
  std::uint64_t iops = 0;
  std::uint64_t bps = 0;
  std::array<char, VIRTIO_BLK_ID_BYTES> serial{};  // zero-padded
};

// Makes volumes of the specs. Throws SetupError naming the export, its extent and the disk's size:
// outside the disk, misaligned, writable on a read-only disk, two writable ones that overlap, a
// partition that is missing or ambiguous, a device number twice. Reads the partition table only
// where a spec asks for one.
[[nodiscard]] std::vector<Volume> make_volumes(std::span<const ExportSpec> specs,
                                               const DiskFacts& disk, const std::string& disk_name,
                                               const DiskReader& read);

}  // namespace cede::driver
