// SPDX-License-Identifier: Apache-2.0
// The host's end of the virtio-serial port that a driver VM's guest speaks over: whole VmPackets in
// both directions, over a Unix stream socket whose other end is QEMU's.
//
// A packet that comes in parts waits for its rest; one that does not begin with the magic number
// means that the stream is out of step, and of no more use. No call blocks. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "protocols/driver_vm.h"
#include "protocols/posix/fd.h"
#include "protocols/status.h"

namespace cede::qemu {

class GuestStream {
 public:
  // All that a guest of kMaxBells sessions may leave unread, and more.
  static constexpr std::size_t kMaxWaiting = 512 * sizeof(VmPacket);

  explicit GuestStream(Fd socket) noexcept : socket_(std::move(socket)) {}

  // Readable when receive() has something to do.
  [[nodiscard]] int fd() const noexcept { return socket_.get(); }

  // The next packet, its fields as the guest wrote them. Busy: no whole one is there. Gone: QEMU
  // ended. Broken: out of step.
  [[nodiscard]] Result<VmPacket> receive() noexcept;

  // Full: the guest does not read. Gone: QEMU ended.
  [[nodiscard]] Status send(const VmPacket& packet);
  // Something waits for room in the socket: call flush() when fd() is writable.
  [[nodiscard]] bool waiting() const noexcept { return !waiting_.empty(); }
  [[nodiscard]] Status flush();

 private:
  [[nodiscard]] Status receive_some() noexcept;

  Fd socket_;
  std::array<std::byte, 16 * sizeof(VmPacket)> received_{};
  std::size_t begin_ = 0;  // of what was received and not yet looked at
  std::size_t end_ = 0;
  std::vector<std::byte> waiting_;
};

}  // namespace cede::qemu
