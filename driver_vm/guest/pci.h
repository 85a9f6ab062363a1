// SPDX-License-Identifier: Apache-2.0
// The guest's PCI devices as its kernel shows them in sysfs. An address is "0000:00:10.0".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocols/status.h"

namespace cede::driver::pci {

struct Range {
  std::uint64_t start = 0;
  std::uint64_t bytes = 0;
};

[[nodiscard]] std::vector<std::string> devices(std::uint16_t vendor, std::uint16_t device);
// The device behind a bridge that has at most one. Nothing: none is known yet.
[[nodiscard]] std::optional<std::string> behind(const std::string& bridge);
// The last part of what a link of the device leads to, such as "driver"; empty: no such link.
[[nodiscard]] std::string link(const std::string& address, const std::string& name);
// Where the device's base address register is. Nothing: nowhere, or not known yet.
[[nodiscard]] std::optional<Range> bar(const std::string& address, unsigned number);
// The device answers to accesses to its memory, or not any more.
[[nodiscard]] Status enable(const std::string& address, bool on);

}  // namespace cede::driver::pci
