// SPDX-License-Identifier: Apache-2.0
// What somebody who reads figures has to know of the machine that they are from.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cede::report {

// {"Processor", "AMD EPYC, 2 cores, Linux 6.1"}, {"Memory", "8 GiB"}, ...
[[nodiscard]] std::vector<std::pair<std::string, std::string>> machine_facts();

}  // namespace cede::report
