// SPDX-License-Identifier: Apache-2.0
// A PCI device of the host's, given to a driver VM through VFIO.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cede::supervisor {

// Why a device cannot be given away, and how to mend it.
struct VfioProblem {
  std::string what;
  std::string remedy;
};
// Looks below `sys` and `dev`; `address` as in "0000:03:00.0".
[[nodiscard]] std::optional<VfioProblem> vfio_problem(const std::string& address,
                                                      const std::filesystem::path& sys = "/sys",
                                                      const std::filesystem::path& dev = "/dev");

// Lets the user `owner` open the device's group. Throws std::system_error.
void give_vfio_group(const std::string& address, uid_t owner);

// What QEMU has to lock for a guest of that size: the device may write to any of it.
[[nodiscard]] constexpr rlim_t locked_for_vfio(std::uint64_t memory_bytes) noexcept {
  constexpr rlim_t kItsOwn = 256U << 20;
  return memory_bytes + kItsOwn;
}

}  // namespace cede::supervisor
