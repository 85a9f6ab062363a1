// SPDX-License-Identifier: Apache-2.0
// Whole VmPackets over a stream that takes and gives pieces of them, never blocking. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "protocols/driver_vm.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::driver {

class PacketStream {
 public:
  // `stream` is O_NONBLOCK.
  explicit PacketStream(Fd stream) noexcept : stream_(std::move(stream)) {}

  [[nodiscard]] int fd() const noexcept { return stream_.get(); }

  // The next whole packet. Busy: not there yet. Gone: the stream has ended. Broken: no packet of
  // this protocol; the stream is of no use any more.
  [[nodiscard]] Result<VmPacket> receive();

  // Queues the packet behind those that wait for room, and flushes.
  void send(const VmPacket& packet);
  // Writes what there is room for. What is left when the other side is gone is dropped.
  void flush();
  [[nodiscard]] bool all_sent() const noexcept { return outbox_.empty(); }

 private:
  using Bytes = std::array<std::byte, sizeof(VmPacket)>;

  Fd stream_;
  Bytes incoming_{};
  std::size_t got_ = 0;  // of incoming_
  std::deque<Bytes> outbox_;
  std::size_t put_ = 0;  // of the first
};

}  // namespace cede::driver
