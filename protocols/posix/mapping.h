// SPDX-License-Identifier: Apache-2.0
// A shared, writable mapping: of a whole memfd, such as a session's region, or of a device.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "protocols/status.h"

namespace cede {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    if (this != &other) {
      reset();
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { reset(); }

  // Maps the first `size` bytes of `fd` read-write and shared. Refuses a file of any other size
  // than `size`: a mapping past a file's end is a SIGBUS that waits.
  [[nodiscard]] static Result<Mapping> map(int fd, std::size_t size) noexcept {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return Status::IoError;
    if (size == 0 || static_cast<std::size_t>(status.st_size) != size) return Status::Invalid;
    return map_device(fd, 0, size);
  }
  // Maps a part of what has no size that could be asked for. errno says why not.
  [[nodiscard]] static Result<Mapping> map_device(int fd, std::uint64_t offset,
                                                  std::size_t size) noexcept {
    void* base =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (base == MAP_FAILED) return Status::IoError;
    Mapping mapping;
    mapping.bytes_ = {static_cast<std::byte*>(base), size};
    return mapping;
  }

  [[nodiscard]] std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] explicit operator bool() const noexcept { return !bytes_.empty(); }
  void reset() noexcept {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
    bytes_ = {};
  }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace cede
