// SPDX-License-Identifier: Apache-2.0
// One queue of a TAP: frames of the kernel's, with virtio's header in front
// (Documentation/networking/tuntap.rst; linux/if_tun.h).
//
// Nothing blocks. Reads and writes go between the kernel and the caller's memory at once, in as
// many parts as there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "frontend/net/net_device.h"
#include "protocols/net.h"
#include "protocols/posix/fd.h"

namespace cede::frontend {

class TapQueue {
 public:
  enum class Outcome : std::uint8_t {
    Done,
    Empty,    // read(): there is no frame
    Dropped,  // this frame is lost
    Gone,     // the interface does not exist any more, or not yet again
  };

  // Takes a queue opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR. Throws std::runtime_error, with
  // the descriptor's number, for anything else. Its interface may be gone: whoever made it can make
  // another behind the same open file, with a little-endian net::Header.
  explicit TapQueue(Fd fd);
  // It had an interface when it was taken.
  [[nodiscard]] bool attached() const noexcept { return attached_; }

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // The next frame, into `room`; one that is as long as that counts as too long. Without room it is
  // thrown away.
  [[nodiscard]] Outcome read(net::Header& header, std::span<std::byte> room,
                             std::uint32_t& length) noexcept;
  [[nodiscard]] Outcome write(const Frame& frame) noexcept;

  // What can be left undone in frames to be written: net::Offload.
  [[nodiscard]] std::uint32_t offloads() const noexcept { return offloads_; }
  // Of the whole interface. What the kernel may leave undone in frames to be read: net::Offload.
  void set_offloads(std::uint32_t offloads) noexcept;
  void set_carrier(bool up) noexcept;

 private:
  Fd fd_;
  bool attached_ = true;
  std::uint32_t offloads_ = net::Offload::kAll;
};

}  // namespace cede::frontend
