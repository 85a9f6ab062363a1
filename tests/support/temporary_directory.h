// SPDX-License-Identifier: Apache-2.0
// A directory for a test's files and sockets, gone with it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace cede::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = "/tmp/cede-test-XXXXXX";  // short, for sockets
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ / name; }
  // A file of that many zero bytes.
  [[nodiscard]] std::filesystem::path file(const std::string& name, std::uintmax_t bytes) const {
    std::filesystem::path file = path_ / name;
    std::ofstream(file).flush();
    std::filesystem::resize_file(file, bytes);
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace cede::test
