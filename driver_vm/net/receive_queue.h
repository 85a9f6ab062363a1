// SPDX-License-Identifier: Apache-2.0
// A receive ring as the switch fills it.
//
// Buffers are taken from the ring only when a frame needs them, and those that were taken for a
// frame that did not fit are kept for the next: so what is held here is bounded by the longest
// frame, and a receiver that is short of one buffer (XSA-392) loses that frame and nothing else.
#pragma once

#include <array>
#include <cstdint>

#include "driver_vm/net/frame.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/session.h"

namespace cede::driver {

class ReceiveQueue {
 public:
  enum class Put : std::uint8_t { Ok, NoBuffer, Broken };

  // Ring `ring` of the region at `memory`. All outlive the queue.
  ReceiveQueue(std::byte* memory, const Geometry& geometry, std::uint16_t ring, BellGuard& guard)
      : memory_(memory),
        geometry_(geometry),
        ring_(memory + geometry.ring_offset(ring), geometry.ring_shape(), guard) {}

  // Copies one frame of at most kMaxFrame bytes into the client's buffers. Broken: the client is.
  [[nodiscard]] Put put(const net::Header& header, const Pieces& pieces) noexcept;
  // True: call the client.
  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }

 private:
  static constexpr std::uint32_t kStash = 128;
  static_assert(kStash > net::kMaxParts && (kStash & (kStash - 1)) == 0);

  [[nodiscard]] Put take_buffer() noexcept;
  [[nodiscard]] std::uint16_t parts_of(std::uint32_t length) const noexcept;
  void scatter(net::Header header, const Pieces& pieces, std::uint32_t length) noexcept;
  [[nodiscard]] net::Buffer& stashed(std::uint32_t index) noexcept {
    return stash_[(first_ + index) & (kStash - 1)];
  }
  void answer(std::uint32_t length, const net::Header& header) noexcept {
    room_ -= stash_[first_].length;
    first_ = (first_ + 1) & (kStash - 1);
    --count_;
    ring_.put({.length = length, .header = header});
  }

  std::byte* memory_;
  Geometry geometry_;
  GuardedRing<BackRing<net::Buffer, net::Received>> ring_;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t room_ = 0;  // bytes of the buffers in stash_
  std::array<net::Buffer, kStash> stash_{};
};

}  // namespace cede::driver
