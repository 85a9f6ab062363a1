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

// Made by images/driver.
[[nodiscard]] inline std::string driver_initrd() {
  return guest_images() + "/driver-initramfs.cpio.gz";
}
// A description's table for a driver VM, after the driver's own keys.
[[nodiscard]] inline std::string driver_vm_table(const std::string& initrd = driver_initrd()) {
  return "[driver.vm]\nkernel = \"" + guest_kernel() + "\"\ninitrd = \"" + initrd + "\"\n";
}

}  // namespace cede::test
