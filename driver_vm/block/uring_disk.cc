// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/block/uring_disk.h"

#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace cede::driver {

UringDisk::UringDisk(int fd, const DiskFacts& facts, EventLoop& loop, std::size_t depth,
                     RequestMemory memory)
    : fd_(fd), facts_(facts), loop_(loop), zeroes_(loop, kZeroes) {
  const int files[] = {fd};
  loop_.register_files(files);
  if (memory == RequestMemory::NotPinned) bounce_.emplace(loop, depth * kBounce);
  for (std::size_t i = 0; i < depth; ++i) {
    Operation& operation = *operations_.emplace_back(std::make_unique<Operation>(*this));
    if (bounce_) operation.bounce = bounce_->data() + i * kBounce;
    free_.push_back(&operation);
  }
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
  const std::size_t left = request.length - operation.done;
  const auto allocate = [&](std::uint32_t mode) {
    entry.opcode = IORING_OP_FALLOCATE;
    entry.addr = erase_piece(operation);
    entry.len = mode;
  };
  const auto memory = [&] { return request.memory + operation.done; };
  switch (operation.method) {
    case Method::Read:
      if (!bounces(request)) return transfer(IORING_OP_READ_FIXED, memory(), left, request.buffer);
      return transfer(IORING_OP_READ_FIXED, operation.bounce, std::min(left, kBounce),
                      bounce_->buffer());
    case Method::Write:
      if (!bounces(request)) return transfer(IORING_OP_WRITE_FIXED, memory(), left, request.buffer);
      std::memcpy(operation.bounce, memory(), std::min(left, kBounce));
      return transfer(IORING_OP_WRITE_FIXED, operation.bounce, std::min(left, kBounce),
                      bounce_->buffer());
    case Method::FillWithZeroes:
      return transfer(IORING_OP_WRITE_FIXED, zeroes_.data(), std::min(left, kZeroes),
                      zeroes_.buffer());
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
      if (operation.method == Method::Read && bounces(*operation.request)) {
        std::memcpy(operation.request->memory + operation.done, operation.bounce,
                    static_cast<std::size_t>(result));
      }
      return advance(operation, static_cast<std::uint32_t>(result));
    case Method::PunchForAllocate:
      operation.method = Method::Allocate;
      return issue(operation);
    case Method::Allocate:
      operation.method = Method::PunchForAllocate;
      return advance(operation, erase_piece(operation));
    case Method::Punch:
    case Method::ZeroRange:
      return advance(operation, erase_piece(operation));
    case Method::Sync:
      return finish(operation, DiskOutcome::Ok);
  }
}

std::uint32_t UringDisk::erase_piece(const Operation& operation) noexcept {
  return std::min(operation.request->length - operation.done, kErasePiece);
}

void UringDisk::advance(Operation& operation, std::uint32_t bytes) {
  operation.done += bytes;
  if (operation.done < operation.request->length) return issue(operation);
  finish(operation, DiskOutcome::Ok);
}

void UringDisk::finish(Operation& operation, DiskOutcome outcome) {
  DiskRequest& request = *operation.request;
  operation.request = nullptr;
  free_.push_back(&operation);
  client_->finished(request, outcome);
}

}  // namespace cede::driver
