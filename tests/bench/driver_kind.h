// SPDX-License-Identifier: Apache-2.0
// What a driver domain is made of: a sandboxed process, or a virtual machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cede::bench {

struct DriverKind {
  std::string_view name;  // for the table
  std::string_view what;
  std::filesystem::path images;  // absolute: a VM's kernel and first file system; empty: a process

  // The lines of a description that make a driver so; `service`: "block" or "net".
  [[nodiscard]] std::string lines(std::string_view service) const;
};

// With VMs where there is a directory with their images (images/driver).
[[nodiscard]] std::vector<DriverKind> driver_kinds(const std::filesystem::path& images);

// The rest of a description, for a driver of that kind: a volume "a" of so many bytes, all that is
// on `disk`, for the client "frontend" as "vda".
[[nodiscard]] std::string disk_description(const DriverKind& kind,
                                           const std::filesystem::path& disk, std::uint64_t bytes);

}  // namespace cede::bench
