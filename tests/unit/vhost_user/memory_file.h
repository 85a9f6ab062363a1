// SPDX-License-Identifier: Apache-2.0
// Guest memory as a test writes it: a memfd, mapped here as well.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "frontend/vhost_user/guest_memory.h"
#include "protocols/posix/mapping.h"
#include "tests/support/session_parts.h"

namespace cede::test {

class MemoryFile {
 public:
  explicit MemoryFile(std::size_t bytes) : fd_(checked(::memfd_create("guest", MFD_CLOEXEC))) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) throw std::runtime_error("memory");
    Result<Mapping> mapping = Mapping::map(fd_.get(), bytes);
    if (!mapping) throw std::runtime_error("cannot map guest memory");
    mapping_ = std::move(*mapping);
  }
  [[nodiscard]] const Fd& fd() const { return fd_; }
  [[nodiscard]] std::byte* at(std::size_t offset) const { return mapping_.data() + offset; }
  template <class T>
  void put(std::size_t offset, const T& value) const {
    std::memcpy(at(offset), &value, sizeof value);
  }
  template <class T>
  [[nodiscard]] T get(std::size_t offset) const {
    T value;
    std::memcpy(&value, at(offset), sizeof value);
    return value;
  }

 private:
  Fd fd_;
  Mapping mapping_;
};

// The guest's view of a MemoryFile in the tests: its addresses, and the front-end's.
inline constexpr std::uint64_t kGuest = 0x1'0000'0000;
inline constexpr std::uint64_t kUser = 0x7000'0000'0000;

}  // namespace cede::test
