// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/shim/guest_stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>

namespace cede::qemu {
namespace {

Status why_failed() {
  if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return Status::Busy;
  return errno == ECONNRESET || errno == EPIPE ? Status::Gone : Status::IoError;
}

}  // namespace

Result<VmPacket> GuestStream::receive() noexcept {
  VmPacket packet;
  if (end_ - begin_ < sizeof packet) {
    if (const Status status = receive_some(); status != Status::Ok) return status;
    if (end_ - begin_ < sizeof packet) return Status::Busy;
  }
  std::memcpy(&packet, received_.data() + begin_, sizeof packet);
  begin_ += sizeof packet;
  if (packet.magic != VmPacket::kMagic) return Status::Broken;
  return packet;
}

Status GuestStream::receive_some() noexcept {
  end_ -= begin_;
  std::memmove(received_.data(), received_.data() + begin_, end_);
  begin_ = 0;
  const ssize_t got =
      ::recv(socket_.get(), received_.data() + end_, received_.size() - end_, MSG_DONTWAIT);
  if (got < 0) return why_failed();
  if (got == 0) return Status::Gone;
  end_ += static_cast<std::size_t>(got);
  return Status::Ok;
}

Status GuestStream::send(const VmPacket& packet) {
  if (waiting_.size() > kMaxWaiting - sizeof packet) return Status::Full;
  const auto bytes = std::as_bytes(std::span(&packet, 1));
  waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  return flush();
}

Status GuestStream::flush() {
  while (!waiting_.empty()) {
    const ssize_t sent =
        ::send(socket_.get(), waiting_.data(), waiting_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      const Status status = why_failed();
      return status == Status::Busy ? Status::Ok : status;
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + sent);
  }
  return Status::Ok;
}

}  // namespace cede::qemu
