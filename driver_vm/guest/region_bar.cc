// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/region_bar.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

#include "driver_vm/guest/pci.h"
#include "protocols/ivshmem.h"

namespace cede::driver {
namespace {

constexpr unsigned kRegionBar = 2;

// What the kernel says of a mapping's caching, where it says that at all (debugfs, and root).
[[nodiscard]] std::string memory_type(const pci::Range& bar) {
  const std::string wanted = fmt::format("[mem {:#018x}-", bar.start);
  std::ifstream list("/sys/kernel/debug/x86/pat_memtype_list");
  for (std::string line; std::getline(list, line);) {
    if (line.find(wanted) != std::string::npos) return line.substr(line.rfind(' ') + 1);
  }
  return "unknown";
}

}  // namespace

std::optional<std::string> find_region(unsigned port) {
  const std::optional<std::string> address = pci::behind(fmt::format(
      "0000:00:{:02x}.{}", kFirstPortSlot + port / kPortsPerSlot, port % kPortsPerSlot));
  // The directory comes before what is in it.
  return address && pci::bar(*address, kRegionBar) ? address : std::nullopt;
}

Result<std::span<std::byte>> RegionBar::map(std::size_t bytes) {
  const std::optional<pci::Range> bar = pci::bar(address_, kRegionBar);
  if (!bar || bar->bytes != bytes) return Status::Invalid;
  enabled_ = pci::enable(address_, true) == Status::Ok;
  if (!enabled_) {
    spdlog::error("region {}: cannot be enabled", address_);
    return Status::IoError;
  }
  Result<Mapping> mapping = Mapping::map_device(memory_.get(), bar->start, bytes);
  if (!mapping) {
    spdlog::error("region {}: cannot be mapped at {:#x}: {}", address_, bar->start,
                  std::generic_category().message(errno));
    return mapping.status();
  }
  mapping_ = *std::move(mapping);
  spdlog::info("region {}: {} bytes at {:#x}, memory type {}", address_, bytes, bar->start,
               memory_type(*bar));
  return std::span(mapping_.data(), mapping_.size());
}

RegionBar::~RegionBar() {
  mapping_.reset();
  if (enabled_) (void)pci::enable(address_, false);
}

}  // namespace cede::driver
