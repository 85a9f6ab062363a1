// SPDX-License-Identifier: Apache-2.0
// A part of a file that an untrusted peer describes, mapped read-write and shared.
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::vhost_user {

class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { swap(other); }
  MappedFile& operator=(MappedFile&& other) noexcept {
    MappedFile(std::move(other)).swap(*this);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (base_ != nullptr) ::munmap(base_, bytes_);
  }

  // Invalid: not a regular file, or [offset, offset + size) is empty or not within it.
  // IoError: the kernel refuses.
  [[nodiscard]] static Result<MappedFile> map(const Fd& file, std::uint64_t offset,
                                              std::uint64_t size) noexcept {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return Status::IoError;
    const auto file_size = static_cast<std::uint64_t>(status.st_size);
    if (!S_ISREG(status.st_mode) || size == 0 || offset > file_size || size > file_size - offset) {
      return Status::Invalid;
    }
    // Huge pages map only at offsets and in sizes of their own; their file system says so here.
    const auto block = static_cast<std::uint64_t>(std::max<blksize_t>(status.st_blksize, 4096));
    const std::uint64_t lead = offset % block;
    MappedFile mapped;
    mapped.bytes_ = (lead + size + block - 1) / block * block;
    void* base = ::mmap(nullptr, mapped.bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                        file.get(), static_cast<off_t>(offset - lead));
    if (base == MAP_FAILED) return Status::IoError;
    ::madvise(base, mapped.bytes_, MADV_DONTDUMP);
    mapped.base_ = base;
    mapped.data_ = static_cast<std::byte*>(base) + lead;
    return mapped;
  }

  // The byte at `offset` of the file.
  [[nodiscard]] std::byte* data() const noexcept { return data_; }

 private:
  void swap(MappedFile& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
  }

  void* base_ = nullptr;
  std::size_t bytes_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace cede::vhost_user
