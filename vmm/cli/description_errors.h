// SPDX-License-Identifier: Apache-2.0
// How `up` and `check` show what is wrong with a description.
#pragma once

#include <string>

#include "vmm/supervisor/problems.h"

namespace cede::cli {

// One line for each problem, in the order of the file, to standard error.
void print_problems(const std::string& file, const supervisor::Problems& problems);

}  // namespace cede::cli
