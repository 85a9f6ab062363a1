// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/vfio.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cede::supervisor {
namespace {

namespace fs = std::filesystem;

// The name of what a symbolic link leads to; empty where there is none.
std::string target_of(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename().string();
}

fs::path device_directory(const fs::path& sys, const std::string& address) {
  return sys / "bus/pci/devices" / address;
}

}  // namespace

std::optional<VfioProblem> vfio_problem(const std::string& address, const fs::path& sys,
                                        const fs::path& dev) {
  const fs::path device = device_directory(sys, address);
  std::error_code error;
  if (!fs::exists(device, error)) {
    return VfioProblem{fmt::format("this machine has no PCI device {}", address),
                       "name one that lspci -D shows"};
  }
  const std::string group = target_of(device / "iommu_group");
  if (group.empty()) {
    return VfioProblem{
        fmt::format("the PCI device {} is behind no IOMMU: {} is missing", address,
                    (device / "iommu_group").string()),
        "turn VT-d or AMD-Vi on in the firmware, and boot with intel_iommu=on or amd_iommu=on; "
        "without an IOMMU, use disk or uplink instead of pci"};
  }
  if (const std::string driver = target_of(device / "driver"); driver != "vfio-pci") {
    return VfioProblem{
        fmt::format("the PCI device {} belongs to {}, not to vfio-pci", address,
                    driver.empty() ? "no driver" : "the driver '" + driver + "'"),
        fmt::format("give it away, for example with: driverctl set-override {} vfio-pci", address)};
  }
  if (!fs::exists(dev / "vfio" / group, error)) {
    return VfioProblem{fmt::format("{} is missing", (dev / "vfio" / group).string()),
                       "load the module vfio-pci, and bind every device of the group to it"};
  }
  return std::nullopt;
}

void give_vfio_group(const std::string& address, uid_t owner) {
  const fs::path group =
      fs::path("/dev/vfio") / target_of(device_directory("/sys", address) / "iommu_group");
  if (::chown(group.c_str(), owner, owner) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot give away " + group.string());
  }
}

}  // namespace cede::supervisor
