// SPDX-License-Identifier: Apache-2.0
#include "vmm/cli/description_errors.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace cede::cli {

void print_problems(const std::string& file, const supervisor::Problems& problems) {
  supervisor::Problems sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const supervisor::Problem& a, const supervisor::Problem& b) {
                     return std::tie(a.at.line, a.at.column) < std::tie(b.at.line, b.at.column);
                   });
  for (const supervisor::Problem& problem : sorted) {
    std::fprintf(stderr, "%s\n", supervisor::to_line(file, problem).c_str());
  }
}

}  // namespace cede::cli
