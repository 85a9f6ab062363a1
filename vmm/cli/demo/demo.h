// SPDX-License-Identifier: Apache-2.0
// `cede demo`: the whole of Cede in front of an audience, on real guests and a real disk image.
#pragma once

#include <string>

namespace cede::cli {

struct DemoOptions {
  std::string images = "build/images";  // directory with what images/build makes
  std::string scratch;             // directory for the disk and the logs; empty: a temporary one
  std::string driver = "process";  // what serves the disk; or "vm"
  bool keep = false;               // leave the scratch directory when everything held
};

// Exit status: 0 only if every claim that was made on the way held.
[[nodiscard]] int demo(const DemoOptions& options);

}  // namespace cede::cli
