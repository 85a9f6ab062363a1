// SPDX-License-Identifier: Apache-2.0
// The memory layout of virtqueues: split (virtio 1.2, sections 2.7.5 to 2.7.8) and packed (sections
// 2.8.1, 2.8.13 and 2.8.14). <linux/virtio_ring.h> says the same, but does not compile as C++.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cede::vhost_user {

struct Descriptor {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint16_t flags = 0;
  std::uint16_t next = 0;

  static constexpr std::uint16_t kNext = 1;
  static constexpr std::uint16_t kWrite = 2;  // the device writes it
  static constexpr std::uint16_t kIndirect = 4;
};
static_assert(sizeof(Descriptor) == 16);

// An entry of a packed ring, and of its indirect tables: written by the driver, and overwritten by
// the device when it gives the buffer back. Flags as above, and the two that say whose it is.
struct PackedDescriptor {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint16_t id = 0;  // of the buffer, in the last descriptor of its chain
  std::uint16_t flags = 0;

  static constexpr std::uint16_t kAvailable = 1 << 7;
  static constexpr std::uint16_t kUsed = 1 << 15;
};
static_assert(sizeof(PackedDescriptor) == 16);

// What a side of a packed ring writes to say when it wants to be woken.
struct EventSuppression {
  std::uint16_t position = 0;  // the descriptor's index, and the wrap counter in bit 15
  std::uint16_t flags = 0;

  static constexpr std::uint16_t kEnable = 0;
  static constexpr std::uint16_t kDisable = 1;
  static constexpr std::uint16_t kAtPosition = 2;
};
static_assert(sizeof(EventSuppression) == 4);

// Where a virtqueue lies, and what was agreed about it.
struct QueueSetup {
  std::uint32_t size = 0;         // a power of two, at most kMaxQueueSize
  std::uint64_t descriptors = 0;  // the front-end's user addresses
  std::uint64_t available = 0;    // packed: the driver's event suppression
  std::uint64_t used = 0;         // packed: the device's
  bool event_index = false;
  bool indirect = false;
  bool packed = false;
  bool base_known = false;  // the front-end heard from us where the ring stands
};

inline constexpr std::uint32_t kMaxQueueSize = 1024;

// Split rings: both have 16 bits of flags, a 16-bit index, the entries, and a 16-bit event index.
namespace ring_layout {
inline constexpr std::size_t kFlags = 0;
inline constexpr std::size_t kIndex = 2;
inline constexpr std::size_t kEntries = 4;
inline constexpr std::size_t kAvailableEntry = 2;  // the head's index
inline constexpr std::size_t kUsedEntry = 8;       // the head's index and the written bytes

[[nodiscard]] constexpr std::size_t available_event(std::size_t size) noexcept {
  return kEntries + size * kAvailableEntry;
}
[[nodiscard]] constexpr std::size_t used_event(std::size_t size) noexcept {
  return kEntries + size * kUsedEntry;
}
}  // namespace ring_layout

// Flags: of the available ring by the driver, of the used ring by the device.
inline constexpr std::uint16_t kNoInterrupt = 1;
inline constexpr std::uint16_t kNoNotify = 1;

inline constexpr unsigned kFeatureIndirect = 28;
inline constexpr unsigned kFeatureEventIndex = 29;
inline constexpr unsigned kFeaturePacked = 34;

// Has the other side asked to hear of anything in (old, now]?
[[nodiscard]] constexpr bool wants_event(std::uint16_t event, std::uint16_t now,
                                         std::uint16_t old) noexcept {
  return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - old);
}

}  // namespace cede::vhost_user
