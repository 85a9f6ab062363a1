// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "vmm/supervisor/size.h"

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLockPoll{10};

std::string error_text(int error) {
  return std::generic_category().message(error);
}

class DiskOpener {
 public:
  DiskOpener(Problems& problems, milliseconds patience)
      : problems_(problems), deadline_(steady_clock::now() + patience) {}

  Disk open(const Driver& driver) {
    struct stat status {};
    if (::stat(driver.disk->c_str(), &status) != 0) return cannot_open(driver, errno);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
      return fail(driver, "is neither a file nor a block device", "name a disk image");
    }
    const auto identity = S_ISBLK(status.st_mode)
                              ? std::pair<dev_t, ino_t>{status.st_rdev, 0}
                              : std::pair<dev_t, ino_t>{status.st_dev, status.st_ino};
    const auto [first, is_new] = owners_.try_emplace(identity, *driver.name);
    if (!is_new) {
      return fail(driver, fmt::format("belongs to driver '{}' already", first->second),
                  "put all volumes of a disk under one driver");
    }
    int flags = O_CLOEXEC | (driver.read_only() ? O_RDONLY : O_RDWR);
    if (*driver.direct) flags |= O_DIRECT;
    if (S_ISBLK(status.st_mode) && !driver.read_only()) flags |= O_EXCL;
    Fd fd(::open(driver.disk->c_str(), flags));
    if (!fd) return cannot_open(driver, errno);
    if (!lock(fd.get(), driver.read_only())) {
      return fail(driver, "is locked by another process",
                  "stop the system or the VM that uses it (lslocks names the process)");
    }
    return measured(driver, std::move(fd), S_ISBLK(status.st_mode));
  }

 private:
  Disk fail(const Driver& driver, const std::string& what, std::string remedy) {
    problems_.push_back({driver.disk.at,
                         fmt::format("the disk '{}' {}", driver.disk->string(), what),
                         std::move(remedy)});
    return {};
  }

  Disk cannot_open(const Driver& driver, int error) {
    const std::string what = "cannot be opened: " + error_text(error);
    switch (error) {
      case ENOENT:
        return fail(driver, "does not exist",
                    "make it, for example with: truncate -s 1G " + driver.disk->string());
      case EBUSY:
        return fail(driver, what, "unmount it, or stop what uses the block device");
      case EINVAL:
        return fail(driver, what, "the file system may not support direct = true; remove it");
      default:
        return fail(driver, what, "check its permissions");
    }
  }

  bool lock(int fd, bool shared) const {
    struct flock whole {};
    whole.l_type = shared ? F_RDLCK : F_WRLCK;
    whole.l_whence = SEEK_SET;
    while (::fcntl(fd, F_OFD_SETLK, &whole) != 0) {
      if (steady_clock::now() >= deadline_) return false;
      std::this_thread::sleep_for(kLockPoll);
    }
    return true;
  }

  Disk measured(const Driver& driver, Fd fd, bool is_block_device) {
    struct stat status {};
    std::uint64_t bytes = 0;
    if (is_block_device) {
      if (::ioctl(fd.get(), BLKGETSIZE64, &bytes) != 0) return cannot_open(driver, errno);
    } else {
      if (::fstat(fd.get(), &status) != 0) return cannot_open(driver, errno);
      bytes = static_cast<std::uint64_t>(status.st_size);
    }
    for (const Volume& volume : driver.volumes) {
      if (!volume.partition->empty()) continue;  // the driver reads the partition table
      if (*volume.offset <= bytes && *volume.size <= bytes - *volume.offset) continue;
      problems_.push_back(
          {volume.size.at,
           fmt::format("volume '{}' ends at byte {}, outside its disk of {}", *volume.name,
                       *volume.offset + *volume.size, bytes),
           fmt::format("make the volume smaller, or the disk larger: truncate -s {} {}",
                       *volume.offset + *volume.size, driver.disk->string())});
    }
    return {std::move(fd), bytes, is_block_device};
  }

  Problems& problems_;
  steady_clock::time_point deadline_;
  std::map<std::pair<dev_t, ino_t>, std::string> owners_;
};

}  // namespace

std::vector<Disk> open_disks(const System& system, Problems& problems, milliseconds patience) {
  DiskOpener opener(problems, patience);
  std::vector<Disk> disks;
  disks.reserve(system.drivers.size());
  for (const Driver& driver : system.drivers) {
    disks.push_back(driver.disk->empty() ? Disk() : opener.open(driver));
  }
  return disks;
}

}  // namespace cede::supervisor
