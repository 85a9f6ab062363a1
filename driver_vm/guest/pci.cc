// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/pci.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace cede::driver::pci {
namespace {

namespace fs = std::filesystem;

const fs::path kDevices = "/sys/bus/pci/devices";

[[nodiscard]] std::uint64_t number_in(const fs::path& file) {
  std::uint64_t number = 0;
  std::ifstream(file) >> std::hex >> number;
  return number;
}

// The names in a directory that may change or go away meanwhile.
[[nodiscard]] std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  std::ranges::sort(names);
  return names;
}

// "0000:01:00.0", and not "0000:00:10.0:pcie001", which is a service of a bridge.
[[nodiscard]] bool is_address(const std::string& name) {
  return name.size() == 12 && name[4] == ':' && name[7] == ':' && name[10] == '.';
}

}  // namespace

std::vector<std::string> devices(std::uint16_t vendor, std::uint16_t device) {
  std::vector<std::string> found = names_in(kDevices);
  std::erase_if(found, [&](const std::string& name) {
    return number_in(kDevices / name / "vendor") != vendor ||
           number_in(kDevices / name / "device") != device;
  });
  return found;
}

std::optional<std::string> behind(const std::string& bridge) {
  for (const std::string& name : names_in(kDevices / bridge)) {
    if (is_address(name)) return name;
  }
  return std::nullopt;
}

std::string link(const std::string& address, const std::string& name) {
  std::error_code error;
  return fs::read_symlink(kDevices / address / name, error).filename();
}

std::optional<Range> bar(const std::string& address, unsigned number) {
  std::ifstream lines(kDevices / address / "resource");
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t flags = 0;
  for (unsigned line = 0; line <= number; ++line) {
    lines >> std::hex >> first >> last >> flags;
  }
  if (!lines || first == 0 || last < first) return std::nullopt;
  return Range{.start = first, .bytes = last - first + 1};
}

Status enable(const std::string& address, bool on) {
  std::ofstream file(kDevices / address / "enable");
  file << (on ? "1" : "0") << std::flush;
  return file ? Status::Ok : Status::IoError;
}

}  // namespace cede::driver::pci
