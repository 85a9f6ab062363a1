// SPDX-License-Identifier: Apache-2.0
// The memory layout of a split virtqueue (virtio 1.2, sections 2.7.5 to 2.7.8).
// <linux/virtio_ring.h> says the same, but does not compile as C++.
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

// Both rings: 16 bits of flags, a 16-bit index, the entries, and a 16-bit event index.
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

// Has the other side asked to hear of anything in (old, now]?
[[nodiscard]] constexpr bool wants_event(std::uint16_t event, std::uint16_t now,
                                         std::uint16_t old) noexcept {
  return static_cast<std::uint16_t>(now - event - 1) < static_cast<std::uint16_t>(now - old);
}

}  // namespace cede::vhost_user
