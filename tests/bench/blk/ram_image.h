// SPDX-License-Identifier: Apache-2.0
// A disk image in memory (/dev/shm). It never has a name, so nothing can be left behind, whatever
// ends this program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "protocols/posix/fd.h"

namespace cede::bench {

class RamImage {
 public:
  // Prefilled: every page exists. Throws std::runtime_error.
  explicit RamImage(std::uint64_t bytes);

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // For a program that wants a path to open; good for as long as this process lives.
  [[nodiscard]] std::string path() const;
  // An open file of its own. Throws std::runtime_error.
  [[nodiscard]] Fd reopen() const;

  // Around every system under test, straight at the file. Throw std::runtime_error.
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  void write(std::uint64_t offset, std::span<const std::byte> in) const;

 private:
  std::uint64_t bytes_;
  Fd fd_;
};

}  // namespace cede::bench
