// SPDX-License-Identifier: Apache-2.0
// Where the other programs of Cede are.
#pragma once

#include <filesystem>
#include <string_view>

#include "vmm/supervisor/policy.h"

namespace cede::supervisor {

struct Programs {
  std::filesystem::path broker;
  std::filesystem::path driver;      // of kind "block"
  std::filesystem::path net_switch;  // of kind "net"
  std::filesystem::path frontend;
  std::filesystem::path shim;  // of a driver VM
};

// One program; `build_folder` is its folder in a build tree, from the root of that tree.
// Looks in $CEDE_LIBEXEC if that is set, and nowhere else then; otherwise beside the running
// program, in ../libexec/cede of an installation, and in the folders of a build tree.
// Throws std::runtime_error that says what is missing and where it was looked for.
[[nodiscard]] std::filesystem::path find_program(std::string_view name,
                                                 std::string_view build_folder);
// The same for all of them, with the broker of that policy.
[[nodiscard]] Programs find_programs(Policy policy = Policy::Donated);

}  // namespace cede::supervisor
