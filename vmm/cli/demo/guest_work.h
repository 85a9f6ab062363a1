// SPDX-License-Identifier: Apache-2.0
// What each guest does with its disk: a file system made, filled, left, checked and read back.
#pragma once

#include <string>
#include <vector>

namespace cede::cli {

struct GuestTask {
  std::string what;     // in plain words
  std::string command;  // for the guest's sh; anything but exit status 0 is a failure
};

inline constexpr int kGuestFiles = 12;

// `disk` is the device in the guest. Files are file1 ... file<kGuestFiles>, 1 MiB each, and `sums`.
[[nodiscard]] inline std::vector<GuestTask> guest_tasks(const std::string& disk) {
  const std::string files = std::to_string(kGuestFiles);
  return {
      {"makes an ext4 file system", "mkfs.ext4 -q -F " + disk},
      {"mounts it", "mkdir -p /mnt && mount -t ext4 " + disk + " /mnt"},
      {"writes " + files + " files of 1 MiB and their checksums",
       "cd /mnt && for i in $(seq " + files +
           "); do dd if=/dev/urandom of=file$i bs=64k count=16 2>/dev/null || exit 1; done && "
           "sha256sum file* > sums"},
      {"syncs and unmounts", "sync && umount /mnt"},
      {"checks the file system", "e2fsck -fn " + disk},
      {"mounts again, reads every file back, compares",
       "mount -t ext4 " + disk + " /mnt && cd /mnt && sha256sum -c sums"},
      {"unmounts", "cd / && umount /mnt"},
  };
}

}  // namespace cede::cli
