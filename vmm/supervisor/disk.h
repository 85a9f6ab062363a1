// SPDX-License-Identifier: Apache-2.0
// The disks of a system, opened and locked by the supervisor and handed to the drivers.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "protocols/posix/fd.h"
#include "vmm/supervisor/description.h"

namespace cede::supervisor {

struct Disk {
  Fd fd;                    // empty if the disk is not fit for use
  std::uint64_t bytes = 0;  // the image's or the block device's size
  bool is_block_device = false;
};

// Opens each block driver's disk, in the drivers' order (a switch has none, nor has a
// VM with a device of the host's), and takes a lock over
// the whole file: a write lock, or a read lock where no volume is writable. The lock is an
// open-file-description lock (fcntl(2)), as QEMU takes them, so it holds for as long as the
// supervisor or the driver has the disk open. A block device that is written is opened with O_EXCL,
// which a mounted one refuses. A driver that was killed a moment ago has its disk open, and locked,
// until the kernel has finished what was in flight: `patience` is how long to wait for that.
// Appends a problem for each disk that is missing, unreadable, locked, used by two drivers, or too
// small for one of its volumes.
[[nodiscard]] std::vector<Disk> open_disks(const System& system, Problems& problems,
                                           std::chrono::milliseconds patience = {});

}  // namespace cede::supervisor
