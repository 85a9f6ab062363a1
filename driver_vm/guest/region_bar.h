// SPDX-License-Identifier: Apache-2.0
// One session's region as the guest has it: BAR 2 of an ivshmem-plain device (protocols/ivshmem.h).
//
// It is mapped through /dev/mem: of all ways to a BAR that Linux offers, the only one that gives it
// the caching of plain memory (write-back). VFIO and sysfs map it uncached, or write-combining at
// best, which is many times slower wherever the processor heeds it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "protocols/posix/fd.h"
#include "protocols/posix/mapping.h"
#include "protocols/status.h"

namespace cede::driver {

class RegionBar {
 public:
  // `memory` is /dev/mem, opened without O_SYNC, which would make the mapping uncached. It outlives
  // the region.
  RegionBar(std::string address, const Fd& memory) noexcept
      : address_(std::move(address)), memory_(memory) {}
  RegionBar(const RegionBar&) = delete;
  RegionBar& operator=(const RegionBar&) = delete;
  // Unmaps, then disables the device: it may be unplugged.
  ~RegionBar();

  // Enables the device and maps its BAR, once. Invalid: not of that size. IoError: the log says
  // why.
  [[nodiscard]] Result<std::span<std::byte>> map(std::size_t bytes);

 private:
  std::string address_;
  const Fd& memory_;
  bool enabled_ = false;
  Mapping mapping_;
};

// The device behind port `port`, once the guest's kernel knows all of it. Nothing: not yet.
[[nodiscard]] std::optional<std::string> find_region(unsigned port);

}  // namespace cede::driver
