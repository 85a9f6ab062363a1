// SPDX-License-Identifier: Apache-2.0
// The look from outside: what the guests' file systems hold, read from the image by the host alone.
#pragma once

#include <cstdint>
#include <string>

namespace cede::cli {

struct HostVerdict {
  bool holds = false;
  std::string words;  // what was found, one line
};

// e2fsck -fn on the volume that begins at byte `offset` of `image`.
[[nodiscard]] HostVerdict check_file_system(const std::string& image, std::uint64_t offset);
// Extracts every file below the volume's root that `sums` lists, and compares the checksums.
// `scratch` is a directory for the copies.
[[nodiscard]] HostVerdict check_files(const std::string& image, std::uint64_t offset, int files,
                                      const std::string& scratch);

}  // namespace cede::cli
