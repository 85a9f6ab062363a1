// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/uring_disk.h"

#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace cede::driver {

UringDisk::UringDisk(int fd, const DiskFacts& facts, EventLoop& loop, std::size_t depth)
    : fd_(fd), facts_(facts), loop_(loop) {
  const int files[] = {fd};
  loop_.register_files(files);
  const Result<std::uint16_t> buffer = loop_.pin(zeroes_->bytes);
  if (!buffer) {
    throw std::system_error(ENOMEM, std::system_category(), "cannot pin memory (RLIMIT_MEMLOCK)");
  }
  zeroes_buffer_ = *buffer;
  for (std::size_t i = 0; i < depth; ++i) {
    free_.push_back(operations_.emplace_back(std::make_unique<Operation>(*this)).get());
  }
}

UringDisk::~UringDisk() {
  loop_.unpin(zeroes_buffer_);
}

void UringDisk::start(DiskRequest& request) {
  Operation& operation = *free_.back();
  free_.pop_back();
  operation.request = &request;
  operation.method = method_for(request);
  operation.done = 0;
  issue(operation);
}

void UringDisk::settle() noexcept {
  if (!facts_.read_only) (void)::fdatasync(fd_);
}

UringDisk::Method UringDisk::method_for(const DiskRequest& request) const noexcept {
  switch (request.kind) {
    case DiskRequest::Kind::Read:
      return Method::Read;
    case DiskRequest::Kind::Write:
      return Method::Write;
    case DiskRequest::Kind::Flush:
      return Method::Sync;
    case DiskRequest::Kind::Discard:
      return Method::Punch;
    case DiskRequest::Kind::WriteZeroes:
      break;
  }
  if (request.unmap && facts_.can_punch) return Method::Punch;
  if (facts_.can_zero_range) return Method::ZeroRange;
  if (facts_.can_punch && facts_.can_allocate) return Method::PunchForAllocate;
  return Method::FillWithZeroes;
}

void UringDisk::issue(Operation& operation) {
  const DiskRequest& request = *operation.request;
  io_uring_sqe& entry = loop_.prepare(operation);
  entry.fd = kFile;
  entry.flags = IOSQE_FIXED_FILE;
  entry.off = request.offset + operation.done;
  const auto transfer = [&](std::uint8_t opcode, const std::byte* memory, std::size_t length,
                            std::uint16_t buffer) {
    entry.opcode = opcode;
    entry.addr = reinterpret_cast<std::uint64_t>(memory);
    entry.len = static_cast<std::uint32_t>(length);
    entry.buf_index = buffer;
  };
  const auto allocate = [&](std::uint32_t mode) {
    entry.opcode = IORING_OP_FALLOCATE;
    entry.addr = request.length;
    entry.len = mode;
  };
  const std::uint32_t left = request.length - operation.done;
  switch (operation.method) {
    case Method::Read:
      return transfer(IORING_OP_READ_FIXED, request.memory + operation.done, left, request.buffer);
    case Method::Write:
      return transfer(IORING_OP_WRITE_FIXED, request.memory + operation.done, left, request.buffer);
    case Method::FillWithZeroes:
      return transfer(IORING_OP_WRITE_FIXED, zeroes_->bytes, std::min<std::size_t>(left, kZeroes),
                      zeroes_buffer_);
    case Method::Sync:
      entry.opcode = IORING_OP_FSYNC;
      entry.fsync_flags = IORING_FSYNC_DATASYNC;
      entry.off = 0;
      return;
    case Method::Punch:
    case Method::PunchForAllocate:
      return allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    case Method::ZeroRange:
      return allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
    case Method::Allocate:
      return allocate(FALLOC_FL_KEEP_SIZE);
  }
}

void UringDisk::Operation::complete(std::int32_t result, bool /*more*/) {
  disk_.completed(*this, result);
}

void UringDisk::completed(Operation& operation, std::int32_t result) {
  if (result == -EINTR) return issue(operation);
  const bool erase = operation.method == Method::Punch || operation.method == Method::ZeroRange ||
                     operation.method == Method::PunchForAllocate;
  if (erase && result == -EOPNOTSUPP) {
    // The probe promised more than the medium keeps.
    if (operation.request->kind == DiskRequest::Kind::Discard) {
      return finish(operation, DiskOutcome::Unsupported);
    }
    operation.method = Method::FillWithZeroes;
    return issue(operation);
  }
  if (result < 0) return finish(operation, DiskOutcome::Error);
  switch (operation.method) {
    case Method::Read:
    case Method::Write:
    case Method::FillWithZeroes:
      if (result == 0) return finish(operation, DiskOutcome::Error);  // the file has shrunk
      operation.done += static_cast<std::uint32_t>(result);
      if (operation.done < operation.request->length) return issue(operation);
      return finish(operation, DiskOutcome::Ok);
    case Method::PunchForAllocate:
      operation.method = Method::Allocate;
      return issue(operation);
    default:
      return finish(operation, DiskOutcome::Ok);
  }
}

void UringDisk::finish(Operation& operation, DiskOutcome outcome) {
  DiskRequest& request = *operation.request;
  operation.request = nullptr;
  free_.push_back(&operation);
  client_->finished(request, outcome);
}

}  // namespace cede::driver
