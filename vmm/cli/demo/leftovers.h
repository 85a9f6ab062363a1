// SPDX-License-Identifier: Apache-2.0
// What a system that ended must not leave behind.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace cede::cli {

// Each finding is one line: a process, directory, cgroup, shared-memory file or network interface
// of `system`. `processes` are the ids that the system's processes had, `interfaces` the names of
// its TAPs in this network namespace.
[[nodiscard]] std::vector<std::string> find_leftovers(
    const std::string& system, const std::vector<pid_t>& processes,
    const std::vector<std::string>& interfaces = {});

}  // namespace cede::cli
