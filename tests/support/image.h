// SPDX-License-Identifier: Apache-2.0
// A disk image for a test.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/session_parts.h"

namespace cede::test {

// A temporary image, gone with the test.
class Image {
 public:
  Image(const std::filesystem::path& folder, std::uint64_t bytes) {
    path_ = (folder / "cede-driver-test-XXXXXX").string();
    fd_ = checked(::mkstemp(path_.data()));
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) {
      throw std::runtime_error("cannot size the test image");
    }
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image() { ::unlink(path_.c_str()); }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t offset, std::size_t length) const {
    std::vector<std::byte> bytes(length);
    if (::pread(fd_.get(), bytes.data(), length, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(length)) {
      throw std::runtime_error("cannot read the test image");
    }
    return bytes;
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot write the test image");
    }
  }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace cede::test
