// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/command.h"

#include <fmt/format.h>

#include <algorithm>

#include "vmm/supervisor/description.h"
#include "vmm/supervisor/runtime_dir.h"

namespace cede::cli {

std::vector<std::string> running_systems() {
  std::vector<std::string> names = supervisor::known_systems();
  std::erase_if(names, [](const std::string& name) { return !supervisor::is_running(name); });
  return names;
}

std::string choose_system(const std::string& name) {
  if (!name.empty()) {
    if (supervisor::valid_name(name)) return name;
    throw UsageError("the name of a system is 1 to 31 letters, digits, '-' and '_'");
  }
  const std::vector<std::string> names = running_systems();
  if (names.size() == 1) return names.front();
  if (names.empty()) throw std::runtime_error("no system runs; start one with: cede up FILE");
  throw UsageError(
      fmt::format("several systems run; name one of them: {}", fmt::join(names, ", ")));
}

}  // namespace cede::cli
