// SPDX-License-Identifier: Apache-2.0
// What the supervisor's tests share: a directory of their own, and problems as text.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "vmm/supervisor/problems.h"

namespace cede::supervisor {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = "/tmp/cede-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // A file of that many zero bytes.
  [[nodiscard]] std::filesystem::path file(const std::string& name, std::uintmax_t bytes) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file).flush();
    std::filesystem::resize_file(file, bytes);
    return file;
  }

 private:
  std::filesystem::path path_;
};

// One line for each problem, as users see them, of a file called "f".
inline std::string lines(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems) text += to_line("f", problem) + '\n';
  return text;
}

}  // namespace cede::supervisor
