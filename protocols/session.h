// SPDX-License-Identifier: Apache-2.0
// A session's life, its handles, and the shape of the memory it runs on.
//
//   Requested -> Escrowed -> Offered -> Connected -> Closing -> Draining -> Closed
//
// Requested  the client's pages are in escrow, the region is being made and populated
// Escrowed   the pages exist, are charged to the client and sealed against shrinking and growing
// Offered    the driver has, then the client has the region; each maps it and says so
// Connected  nobody can make a new writable mapping or take a page: the rings run
// Closing    somebody asked to close: the driver answers what is in flight, then releases
// Draining   the driver let go or died (or the session never connected): waiting for the kernel's
//            proof that nobody holds the pages
// Closed     the pages are home; the row is free for another session of the next generation
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/ring.h"

namespace cede {

inline constexpr std::uint64_t kPageBytes = 4096;

enum class SessionState : std::uint8_t {
  Closed = 0,  // also: a free row
  Requested = 1,
  Escrowed = 2,
  Offered = 3,
  Connected = 4,
  Closing = 5,
  Draining = 6,
};

[[nodiscard]] constexpr std::string_view to_string(SessionState state) noexcept {
  switch (state) {
    case SessionState::Closed:
      return "closed";
    case SessionState::Requested:
      return "requested";
    case SessionState::Escrowed:
      return "escrowed";
    case SessionState::Offered:
      return "offered";
    case SessionState::Connected:
      return "connected";
    case SessionState::Closing:
      return "closing";
    case SessionState::Draining:
      return "draining";
  }
  return "unknown";
}

// Names a row of one of the broker's tables. The generation changes each time the row is used anew,
// so a handle kept from an earlier life of the row names nothing. Generation 0 is never issued.
struct Handle {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;

  friend constexpr bool operator==(Handle, Handle) = default;
  [[nodiscard]] constexpr bool valid() const noexcept { return generation != 0; }
};

// What both sides know about a session's region, from the broker and never from the region itself.
//
//   0                     rings[0] ... rings[rings-1], each RingShape::bytes() rounded up to pages
//   data_offset()         pages for payload, up to the end of the region
struct Geometry {
  std::uint32_t pages = 0;  // of kPageBytes: a power of two (QEMU's ivshmem takes nothing else)
  std::uint16_t rings = 0;  // 1 to kMaxRings
  std::uint16_t slot_bytes = 0;
  std::uint32_t slots = 0;  // of each ring

  static constexpr std::uint32_t kMaxPages = 1U << 18;  // 1 GiB
  static constexpr std::uint16_t kMaxRings = 16;

  friend constexpr bool operator==(const Geometry&, const Geometry&) = default;

  [[nodiscard]] constexpr RingShape ring_shape() const noexcept { return {slots, slot_bytes}; }
  [[nodiscard]] constexpr std::uint64_t bytes() const noexcept { return pages * kPageBytes; }
  [[nodiscard]] constexpr std::uint64_t ring_stride() const noexcept {
    return (ring_shape().bytes() + kPageBytes - 1) / kPageBytes * kPageBytes;
  }
  [[nodiscard]] constexpr std::uint64_t ring_offset(std::uint32_t ring) const noexcept {
    return ring * ring_stride();
  }
  [[nodiscard]] constexpr std::uint64_t data_offset() const noexcept { return ring_offset(rings); }

  // Well-formed, with at least one page of payload.
  [[nodiscard]] constexpr bool valid() const noexcept {
    return pages != 0 && pages <= kMaxPages && (pages & (pages - 1)) == 0 && rings != 0 &&
           rings <= kMaxRings && ring_shape().valid() && data_offset() < bytes();
  }
  // Does [offset, offset + length) lie in the payload? Written so that nothing can wrap.
  [[nodiscard]] constexpr bool holds(std::uint64_t offset, std::uint64_t length) const noexcept {
    return offset >= data_offset() && offset <= bytes() && length <= bytes() - offset;
  }
};

}  // namespace cede
