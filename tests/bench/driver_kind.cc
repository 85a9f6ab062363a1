// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/driver_kind.h"

#include <fmt/format.h>

namespace cede::bench {

std::string DriverKind::lines(std::string_view service) const {
  if (images.empty()) return fmt::format("kind = \"{}\"\n", service);
  return fmt::format(
      "kind = \"vm\"\n[driver.vm]\nkernel = \"{0}/vmlinuz\"\n"
      "initrd = \"{0}/driver-initramfs.cpio.gz\"\n",
      images.string());
}

std::vector<DriverKind> driver_kinds(const std::filesystem::path& images) {
  std::vector<DriverKind> kinds{{"process", "the driver as a sandboxed process", {}}};
  if (!images.empty()) {
    kinds.push_back({"vm", "the driver in a virtual machine", std::filesystem::absolute(images)});
  }
  return kinds;
}

std::string disk_description(const DriverKind& kind, const std::filesystem::path& disk,
                             std::uint64_t bytes) {
  return fmt::format(
      "budget = \"16M\"\n"
      "[[driver]]\nname = \"driver\"\ndisk = \"{}\"\n{}"
      "[[driver.volume]]\nname = \"a\"\noffset = 0\nsize = {}\n"
      "[[client]]\nname = \"frontend\"\naccount = \"8M\"\n"
      "[[client.device]]\nname = \"vda\"\ndriver = \"driver\"\nvolume = \"a\"\nregion = \"4M\"\n",
      disk.string(), kind.lines("block"), bytes);
}

}  // namespace cede::bench
