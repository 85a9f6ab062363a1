// SPDX-License-Identifier: Apache-2.0
// The receive half of a queue pair: one buffer for each slot of the ring, and since both are used
// and answered in the same order, always the same one. Neighbours in the ring are neighbours in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "frontend/net/net_device.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/ring.h"

namespace cede::frontend {

class ReceiveQueue {
 public:
  // The buffers lie in `region` from byte `begin` on. All of them are put on the ring.
  ReceiveQueue(std::byte* region, std::byte* ring, RingShape shape, std::uint32_t begin,
               BellGuard& guard)
      : region_(region), begin_(begin), ring_(ring, shape, guard) {
    for (std::uint32_t slot = 0; slot < shape.slots; ++slot) give(slot);
  }

  // The next frame that leaves nothing undone but `offloads`. Gives up the last one.
  [[nodiscard]] Verdict take(Frame& frame, std::uint32_t offloads) noexcept {
    while (true) {
      release();
      const Verdict look = take_any(frame);
      if (look != Verdict::Ready || net::consistent(frame.header, frame.length, offloads)) {
        return look;
      }
      ++unfit_;
    }
  }

  void release() noexcept {
    for (; held_ != 0; --held_) give(given_);
  }

  // A frame was taken and not released.
  [[nodiscard]] bool holds() const noexcept { return held_ != 0; }

  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }
  [[nodiscard]] Verdict arm() noexcept {
    return ring_.in_flight() == 0 ? Verdict::Empty : ring_.arm();
  }
  [[nodiscard]] std::uint64_t unfit() const noexcept { return unfit_; }

 private:
  [[nodiscard]] std::uint32_t offset(std::uint32_t index) const noexcept {
    return begin_ + (index & (ring_.slots() - 1)) * net::kBufferBytes;
  }
  void give(std::uint32_t index) noexcept {
    ring_.put({offset(index), net::kBufferBytes});
    given_ = index + 1;
  }

  [[nodiscard]] Verdict take_any(Frame& frame) noexcept {
    net::Received part;
    if (const Verdict look = ring_.take(part); look != Verdict::Ready) return look;
    const std::uint32_t buffers = part.header.num_buffers;
    if (buffers == 0 || buffers > net::kMaxParts) return Verdict::Broken;
    frame.header = part.header;
    frame.length = 0;
    frame.part_count = 0;
    for (std::uint32_t i = 0; i < buffers; ++i) {
      // All parts of a frame are published together.
      if (i != 0 && ring_.take(part) != Verdict::Ready) return Verdict::Broken;
      if (part.length == 0 || part.length > net::kBufferBytes) return Verdict::Broken;
      // A ring's length behind the next one to give, which is the same buffer.
      append(frame, region_ + offset(given_ + held_), part.length);
      ++held_;
    }
    const bool sane = frame.length >= net::kMinFrame && frame.length <= net::kMaxFrame &&
                      net::consistent(frame.header, frame.length, net::Offload::kAll);
    return sane ? Verdict::Ready : Verdict::Broken;
  }

  static void append(Frame& frame, const std::byte* bytes, std::uint32_t length) noexcept {
    frame.length += length;
    if (frame.part_count != 0) {
      std::span<const std::byte>& last = frame.parts[frame.part_count - 1];
      if (last.data() + last.size() == bytes) {
        last = {last.data(), last.size() + length};
        return;
      }
    }
    frame.parts[frame.part_count++] = {bytes, length};
  }

  std::byte* region_;
  std::uint32_t begin_;
  GuardedRing<FrontRing<net::Buffer, net::Received>> ring_;
  std::uint32_t given_ = 0;  // buffers ever put on the ring
  std::uint32_t held_ = 0;   // buffers of the last frame
  std::uint64_t unfit_ = 0;
};

}  // namespace cede::frontend
