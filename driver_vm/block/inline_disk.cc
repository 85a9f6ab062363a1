// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/inline_disk.h"

#include <unistd.h>

#include <cerrno>

namespace cede::driver {

void InlineDisk::attach(DiskClient& client) noexcept {
  client_ = &client;
  erases_.attach(client);
}

void InlineDisk::start(DiskRequest& request) {
  switch (request.kind) {
    case DiskRequest::Kind::Read:
    case DiskRequest::Kind::Write:
      return client_->finished(request, transfer(request));
    case DiskRequest::Kind::Flush:
      return client_->finished(request, DiskOutcome::Ok);  // memory is as stable as it gets
    case DiskRequest::Kind::Discard:
    case DiskRequest::Kind::WriteZeroes:
      return erases_.start(request);
  }
}

DiskOutcome InlineDisk::transfer(const DiskRequest& request) const noexcept {
  const bool read = request.kind == DiskRequest::Kind::Read;
  std::uint32_t done = 0;
  while (done < request.length) {
    std::byte* const memory = request.memory + done;
    const std::size_t left = request.length - done;
    const auto offset = static_cast<off_t>(request.offset + done);
    const ssize_t moved =
        read ? ::pread(fd_, memory, left, offset) : ::pwrite(fd_, memory, left, offset);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) return DiskOutcome::Error;  // 0: the file has shrunk
    done += static_cast<std::uint32_t>(moved);
  }
  return DiskOutcome::Ok;
}

}  // namespace cede::driver
