// SPDX-License-Identifier: Apache-2.0
// What a memfd must be like before QEMU may have it as a device's memory.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cstdint>

#include "protocols/session.h"
#include "protocols/status.h"

namespace cede::qemu {

// Its size. Invalid: that is not a power of two of at least a page (which would abort QEMU), or it
// can still be shrunk (which would kill QEMU). WrongState: nobody can map it writable any more.
[[nodiscard]] inline Result<std::uint64_t> region_bytes(int memfd) noexcept {
  struct stat info {};
  if (::fstat(memfd, &info) != 0) return Status::IoError;
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  if (bytes < kPageBytes || !std::has_single_bit(bytes)) return Status::Invalid;
  const int seals = ::fcntl(memfd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return Status::Invalid;
  if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0) return Status::WrongState;
  return bytes;
}

}  // namespace cede::qemu
