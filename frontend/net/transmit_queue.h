// SPDX-License-Identifier: Apache-2.0
// The transmit half of a queue pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "frontend/net/transmit_area.h"
#include "protocols/bell_guard.h"
#include "protocols/net.h"
#include "protocols/ring.h"

namespace cede::frontend {

class TransmitQueue {
 public:
  // Frames lie in [begin, begin + bytes) of `region`.
  TransmitQueue(std::byte* region, std::byte* ring, RingShape shape, std::uint32_t begin,
                std::uint32_t bytes, BellGuard& guard)
      : region_(region), ring_(ring, shape, guard), area_(begin, bytes, shape.slots) {}

  [[nodiscard]] std::span<std::byte> reserve(std::uint32_t bytes) noexcept {
    reserved_ = {};
    if (bytes == 0 || bytes > net::kMaxFrame) return {};
    std::optional<std::uint32_t> place = area_.reserve(bytes);
    if (!place && reap()) place = area_.reserve(bytes);
    if (place && !broken_) reserved_ = {region_ + *place, bytes};
    if (!place) room_ = Room::Wanted;
    return reserved_;
  }

  // A length that does not lie in the last reserve() sends nothing.
  void send(std::uint32_t length, const net::Header& header) noexcept {
    if (length == 0 || length > reserved_.size()) return;
    net::Transmit frame;
    frame.offset = static_cast<std::uint32_t>(reserved_.data() - region_);
    frame.length = length;
    frame.header = header;
    ring_.put(frame);
    area_.commit(length);
    reserved_ = {};
  }

  // Frees the room of what the driver has answered. True: there was some.
  bool reap() noexcept {
    bool some = false;
    net::Transmitted answer;
    while (!broken_) {
      const Verdict look = ring_.take(answer);
      if (look == Verdict::Empty) break;
      broken_ = look == Verdict::Broken || answer.verdict > net::Verdict::Limited;
      if (broken_) break;
      if (answer.verdict != net::Verdict::Taken) ++refused_;
      area_.free_oldest();
      some = true;
    }
    if (some && room_ == Room::Wanted) room_ = Room::Came;
    return some;
  }

  [[nodiscard]] bool publish() noexcept { return ring_.publish(); }
  // False: a reserve() was in vain, and room has come since, or the queue is broken. Room that came
  // is told once: whoever wanted it may be gone, and would be told for ever.
  [[nodiscard]] bool arm() noexcept {
    if (room_ == Room::Came) {
      room_ = Room::Unwanted;
      return false;
    }
    if (room_ == Room::Unwanted || ring_.in_flight() == 0) return true;
    const Verdict look = ring_.arm();
    broken_ |= look == Verdict::Broken;
    return look == Verdict::Empty;
  }

  [[nodiscard]] std::uint32_t in_flight() const noexcept { return ring_.in_flight(); }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  // What the last reserve() in vain wanted.
  enum class Room : std::uint8_t { Unwanted, Wanted, Came };

  std::byte* region_;
  GuardedRing<FrontRing<net::Transmit, net::Transmitted>> ring_;
  TransmitArea area_;  // one extent for each frame in the ring
  std::span<std::byte> reserved_;
  std::uint64_t refused_ = 0;
  Room room_ = Room::Unwanted;
  bool broken_ = false;
};

}  // namespace cede::frontend
