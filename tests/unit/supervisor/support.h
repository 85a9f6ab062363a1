// SPDX-License-Identifier: Apache-2.0
// What the supervisor's tests share: problems as text, and a directory.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/support/temporary_directory.h"
#include "vmm/supervisor/problems.h"

namespace cede::supervisor {

using test::TemporaryDirectory;

// One line for each problem, as users see them, of a file called "f".
inline std::string lines(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems) text += to_line("f", problem) + '\n';
  return text;
}

}  // namespace cede::supervisor
