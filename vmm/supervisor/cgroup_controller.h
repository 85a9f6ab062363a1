// SPDX-License-Identifier: Apache-2.0
// Where the kernel divides something, such as "memory" or "cpu", among groups of processes.
//
// Both hierarchies are known: version 1 with a mount for each controller, and the unified one.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace cede::supervisor {

struct CgroupController {
  std::filesystem::path mount;
  bool unified = false;
};

// From the text of /proc/self/mountinfo. A unified hierarchy counts only if `in_unified` says that
// its root has the controller.
[[nodiscard]] std::optional<CgroupController> find_controller(std::string_view controller,
                                                              std::string_view mountinfo,
                                                              bool in_unified);
[[nodiscard]] std::optional<CgroupController> find_controller(std::string_view controller);

// Asks for a controller in the directories below one of the unified hierarchy. Judged by the
// result: it may be on already without our being allowed to ask.
[[nodiscard]] bool enable_below(const std::filesystem::path& directory,
                                std::string_view controller);

}  // namespace cede::supervisor
