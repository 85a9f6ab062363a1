// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/packet_stream.h"

#include <unistd.h>

#include <bit>
#include <cerrno>

namespace cede::driver {

Result<VmPacket> PacketStream::receive() {
  while (got_ < incoming_.size()) {
    const ssize_t got = ::read(stream_.get(), incoming_.data() + got_, incoming_.size() - got_);
    if (got == 0) return Status::Gone;
    if (got > 0) {
      got_ += static_cast<std::size_t>(got);
    } else if (errno == EAGAIN) {
      return Status::Busy;
    } else if (errno != EINTR) {
      return errno == ENODEV || errno == ECONNRESET ? Status::Gone : Status::IoError;
    }
  }
  const auto packet = std::bit_cast<VmPacket>(incoming_);
  if (packet.magic != VmPacket::kMagic) return Status::Broken;
  got_ = 0;
  return packet;
}

void PacketStream::send(const VmPacket& packet) {
  outbox_.push_back(std::bit_cast<Bytes>(packet));
  flush();
}

void PacketStream::flush() {
  while (!outbox_.empty()) {
    const Bytes& first = outbox_.front();
    const ssize_t put = ::write(stream_.get(), first.data() + put_, first.size() - put_);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) return;
    if (put <= 0) {
      outbox_.clear();
      put_ = 0;
      return;
    }
    put_ += static_cast<std::size_t>(put);
    if (put_ < first.size()) continue;
    outbox_.pop_front();
    put_ = 0;
  }
}

}  // namespace cede::driver
