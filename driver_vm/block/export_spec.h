// SPDX-License-Identifier: Apache-2.0
// One --export as the supervisor writes it, before it is held against a disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cede::driver {

struct ExportSpec {
  std::uint32_t device = 0;  // the driver's number for it, below kMaxDevices
  std::string name;          // for messages and, by default, the serial
  std::string partition;     // a GPT partition's name; empty: by offset and length
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  // nothing: to the end of the disk
  bool read_only = false;
  std::uint32_t weight = 1;  // 1 to Scheduler::kMaxWeight
  std::uint64_t iops = 0;    // a second; 0: no limit
  std::uint64_t bps = 0;     // bytes a second; 0: no limit
  std::string serial;        // at most VIRTIO_BLK_ID_BYTES
};

// device=N,name=TEXT[,partition=TEXT|[,offset=N][,length=N]][,read_only][,weight=N][,iops=N]
// [,bps=N][,serial=TEXT]. Throws SetupError.
[[nodiscard]] ExportSpec parse_export(std::string_view text);

}  // namespace cede::driver
