// SPDX-License-Identifier: Apache-2.0
// A transmit ring as the switch empties it: in batches, answered in order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "driver_vm/net/frame.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/session.h"

namespace cede::driver {

class TransmitQueue {
 public:
  static constexpr std::size_t kBatch = 32;
  // A batch ends after so many bytes, so that 32 segments are not one indivisible piece of work.
  static constexpr std::uint32_t kBatchBytes = 64 << 10;

  // Ring `ring` of the region at `memory`. All outlive the queue.
  TransmitQueue(std::byte* memory, const Geometry& geometry, std::uint16_t ring, BellGuard& guard)
      : memory_(memory),
        geometry_(geometry),
        ring_(memory + geometry.ring_offset(ring), geometry.ring_shape(), guard) {}

  // Is there a request, or a producer that cannot be right?
  [[nodiscard]] bool ready() noexcept { return ring_.peek() != Verdict::Empty; }
  // Takes some requests. Each has to be answered, in order. Empty although ready(): the client is
  // broken.
  [[nodiscard]] std::span<const net::Transmit> take() noexcept;
  // Does the request make sense as far as the ring goes? Nothing: its extent is not the payload's,
  // which ends the session. False: its frame is too short or too long.
  [[nodiscard]] std::optional<bool> load(const net::Transmit& request, Frame& frame) const noexcept;
  void answer(net::Verdict verdict) noexcept { ring_.put({.verdict = verdict}); }
  // True: call the client.
  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }
  // False: there is work.
  [[nodiscard]] bool arm() noexcept { return ring_.arm() == Verdict::Empty; }

 private:
  std::byte* memory_;
  Geometry geometry_;
  GuardedRing<BackRing<net::Transmit, net::Transmitted>> ring_;
  std::array<net::Transmit, kBatch> batch_;
};

inline std::span<const net::Transmit> TransmitQueue::take() noexcept {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  while (count < kBatch && bytes < kBatchBytes && ring_.take(batch_[count]) == Verdict::Ready) {
    const net::Transmit& request = batch_[count++];
    bytes += request.length;
    // The sender has just written the frame, on another processor.
    if (geometry_.holds(request.offset, 1)) __builtin_prefetch(memory_ + request.offset);
  }
  return std::span(batch_).first(count);
}

inline std::optional<bool> TransmitQueue::load(const net::Transmit& request,
                                               Frame& frame) const noexcept {
  if (request.length < net::kMinFrame || request.length > net::kMaxFrame) return false;
  if (!geometry_.holds(request.offset, request.length)) return std::nullopt;
  net::Header header = request.header;
  // Nobody has validated a checksum on its way here (virtio 1.2, 5.1.6.2.1).
  header.flags &= static_cast<std::uint8_t>(~VIRTIO_NET_HDR_F_DATA_VALID);
  return frame.load(header, memory_ + request.offset, request.length);
}

}  // namespace cede::driver
