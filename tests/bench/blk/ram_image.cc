// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/blk/ram_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace cede::bench {
namespace {

constexpr const char* kFolder = "/dev/shm";

std::runtime_error failure(const char* what) {
  return std::runtime_error(
      fmt::format("{} {}: {}", what, kFolder, std::generic_category().message(errno)));
}

}  // namespace

RamImage::RamImage(std::uint64_t bytes)
    : bytes_(bytes), fd_(::open(kFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
  if (!fd_) throw failure("cannot make an image in");
  const std::vector<std::byte> block(std::size_t{1} << 20, std::byte{0xa5});
  for (std::uint64_t offset = 0; offset < bytes; offset += block.size()) {
    write(offset, std::span(block).first(std::min<std::uint64_t>(block.size(), bytes - offset)));
  }
}

std::string RamImage::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), fd());
}

Fd RamImage::reopen() const {
  Fd fd(::open(path().c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) throw failure("cannot reopen an image in");
  return fd;
}

void RamImage::read(std::uint64_t offset, std::span<std::byte> out) const {
  const ssize_t moved = ::pread(fd(), out.data(), out.size(), static_cast<off_t>(offset));
  if (moved != static_cast<ssize_t>(out.size())) throw failure("cannot read an image in");
}

void RamImage::write(std::uint64_t offset, std::span<const std::byte> in) const {
  const ssize_t moved = ::pwrite(fd(), in.data(), in.size(), static_cast<off_t>(offset));
  if (moved != static_cast<ssize_t>(in.size())) throw failure("cannot fill an image in");
}

}  // namespace cede::bench
