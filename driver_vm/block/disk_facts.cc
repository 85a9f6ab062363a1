// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/disk_facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

constexpr std::uint32_t kSector = 512;
constexpr std::uint32_t kMaxLogical = 4096;
constexpr std::uint32_t kMaxPhysical = 65536;

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw SetupError(fmt::format("disk {}: {}", name, what));
}

[[nodiscard]] bool power_of_two(std::uint32_t number) {
  return number != 0 && (number & (number - 1)) == 0;
}

// Both probes work just past the end of the file, where there is nothing to lose.
void probe_file(int fd, off_t end, DiskFacts& facts) {
  constexpr off_t kLength = 4096;
  const auto try_mode = [&](int mode) {
    return ::fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, end, kLength) == 0;
  };
  facts.can_punch = try_mode(FALLOC_FL_PUNCH_HOLE);
  facts.can_zero_range = facts.can_punch && try_mode(FALLOC_FL_ZERO_RANGE);
  facts.can_allocate = facts.can_punch && try_mode(0);
  if (facts.can_punch) try_mode(FALLOC_FL_PUNCH_HOLE);  // gives back what the others allocated
}

// What each access has to be a multiple of, by place and length.
std::uint32_t direct_block(int fd, const std::string& name) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) != 0 ||
      (status.stx_mask & STATX_DIOALIGN) == 0) {
    return kSector;  // an older kernel, or file system: right on most disks
  }
  if (status.stx_dio_offset_align == 0) fail(name, "its file system has no direct I/O");
  return std::max(kSector, status.stx_dio_offset_align);
}

void inspect_file(int fd, const struct stat& status, bool direct, const std::string& name,
                  DiskFacts& facts) {
  facts.bytes = static_cast<std::uint64_t>(status.st_size);
  facts.logical_block = direct ? direct_block(fd, name) : kSector;
  facts.physical_block = std::max(4096U, facts.logical_block);
  struct statfs filesystem {};
  if (::fstatfs(fd, &filesystem) == 0) {
    facts.in_memory =
        filesystem.f_type == TMPFS_MAGIC || filesystem.f_type == static_cast<long>(RAMFS_MAGIC);
  }
  if (!facts.read_only) probe_file(fd, status.st_size, facts);
}

void inspect_device(int fd, const struct stat& status, DiskFacts& facts) {
  int logical = 0;
  unsigned physical = 0;
  if (::ioctl(fd, BLKGETSIZE64, &facts.bytes) != 0 || ::ioctl(fd, BLKSSZGET, &logical) != 0 ||
      ::ioctl(fd, BLKPBSZGET, &physical) != 0) {
    return;  // no size: refused as empty
  }
  facts.logical_block = static_cast<std::uint32_t>(logical);
  facts.physical_block = std::clamp(physical, facts.logical_block, kMaxPhysical);
  // On a device, PUNCH_HOLE is BLKDISCARD with zeroes guaranteed, which the hardware must offer;
  // ZERO_RANGE is BLKZEROOUT, which the kernel does by writing where the hardware cannot.
  std::uint64_t zeroes = 0;
  std::ifstream(fmt::format("/sys/dev/block/{}:{}/queue/write_zeroes_max_bytes",
                            major(status.st_rdev), minor(status.st_rdev))) >>
      zeroes;
  facts.can_punch = !facts.read_only && zeroes > 0;
  facts.can_zero_range = !facts.read_only;
}

}  // namespace

DiskFacts inspect_disk(int fd, const std::string& name, BlockSizes wanted) {
  struct stat status {};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &status) != 0) fail(name, std::strerror(errno));  // NOLINT: 1 thread
  if ((flags & O_ACCMODE) == O_WRONLY) fail(name, "opened write-only; open it read-write");
  if ((flags & O_APPEND) != 0) fail(name, "opened for appending; open it without O_APPEND");
  DiskFacts facts;
  facts.read_only = (flags & O_ACCMODE) == O_RDONLY;
  if (S_ISREG(status.st_mode)) {
    inspect_file(fd, status, (flags & O_DIRECT) != 0, name, facts);
  } else if (S_ISBLK(status.st_mode)) {
    inspect_device(fd, status, facts);
  } else {
    fail(name, "neither a regular file nor a block device");
  }

  if (wanted.logical != 0) {
    if (wanted.logical < facts.logical_block) {
      fail(name, fmt::format("logical block {} is below the device's own {}", wanted.logical,
                             facts.logical_block));
    }
    facts.logical_block = wanted.logical;
    facts.physical_block = std::max(facts.physical_block, wanted.logical);
  }
  if (wanted.physical != 0) facts.physical_block = wanted.physical;
  if (!power_of_two(facts.logical_block) || facts.logical_block < kSector ||
      facts.logical_block > kMaxLogical) {
    fail(name, fmt::format("logical block {} is not 512, 1024, 2048 or 4096", facts.logical_block));
  }
  if (!power_of_two(facts.physical_block) || facts.physical_block < facts.logical_block ||
      facts.physical_block > kMaxPhysical) {
    fail(name, fmt::format("physical block {} is not a power of two from {} to {}",
                           facts.physical_block, facts.logical_block, kMaxPhysical));
  }
  facts.bytes -= facts.bytes % facts.logical_block;
  if (facts.bytes == 0) fail(name, "smaller than one block");
  return facts;
}

}  // namespace cede::driver
