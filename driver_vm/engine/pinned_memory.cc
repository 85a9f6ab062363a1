// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/engine/pinned_memory.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace cede::driver {

PinnedMemory::PinnedMemory(EventLoop& loop, std::size_t bytes)
    : loop_(loop), memory_(static_cast<std::byte*>(std::aligned_alloc(4096, bytes))) {
  Result<std::uint16_t> buffer = Status::NoMemory;
  if (memory_ != nullptr) {
    std::memset(memory_.get(), 0, bytes);
    buffer = loop_.pin({memory_.get(), bytes});
  }
  if (!buffer) {
    throw std::system_error(ENOMEM, std::system_category(), "cannot pin memory (RLIMIT_MEMLOCK)");
  }
  buffer_ = *buffer;
}

}  // namespace cede::driver
