// SPDX-License-Identifier: Apache-2.0
// The images that guests boot; CEDE_IMAGES names the directory that has them.
#pragma once

#include <cstdlib>
#include <string>

namespace cede::test {

[[nodiscard]] inline std::string guest_images() {
  const char* directory = std::getenv("CEDE_IMAGES");  // NOLINT(concurrency-mt-unsafe)
  return directory == nullptr ? "CEDE_IMAGES-is-not-set" : directory;
}
[[nodiscard]] inline std::string guest_kernel() {
  return guest_images() + "/vmlinuz";
}
[[nodiscard]] inline std::string guest_initrd() {
  return guest_images() + "/initramfs.cpio.gz";
}

}  // namespace cede::test
