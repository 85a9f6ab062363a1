// SPDX-License-Identifier: Apache-2.0
// The split rings of VhostUserClient, as its two halves share them: vhost_user_client.cc speaks the
// protocol, vhost_user_client_rings.cc moves requests.
#pragma once

#include <linux/virtio_blk.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/vhost_user_client.h"

namespace cede::test {

// Where the guest's memory begins in the guest's own addresses: not at zero, so that a mixed-up
// address shows.
inline constexpr std::uint64_t kGuestBase = 1ULL << 32;

[[noreturn]] inline void fail(const std::string& what) {
  throw std::runtime_error("vhost-user: " + what);
}

template <class T>
T load(const T* place, std::memory_order order) noexcept {
  return std::atomic_ref(*const_cast<T*>(place)).load(order);
}
template <class T>
void store(T* place, T value, std::memory_order order) noexcept {
  std::atomic_ref(*place).store(value, order);
}

// One queue's memory, by offsets from its base, and the driver's private state.
struct VhostUserClient::Queue {
  static constexpr std::uint32_t kTableEntries = 32;  // of one request's indirect table

  struct Slot {
    virtio_blk_outhdr header;
    std::uint8_t status;
    std::uint8_t padding[15];
    virtio_blk_discard_write_zeroes range;
    std::array<vhost_user::Descriptor, kTableEntries> table;
  };

  static std::size_t bytes(std::uint16_t size) noexcept {
    const std::size_t all = slots_offset(size) + size * sizeof(Slot);
    return (all + 4095) / 4096 * 4096;
  }
  static std::size_t available_offset(std::uint16_t size) noexcept {
    return size * sizeof(vhost_user::Descriptor);
  }
  static std::size_t used_offset(std::uint16_t size) noexcept {
    return (available_offset(size) + vhost_user::ring_layout::available_event(size) + 2 + 63) / 64 *
           64;
  }
  static std::size_t slots_offset(std::uint16_t size) noexcept {
    return (used_offset(size) + vhost_user::ring_layout::used_event(size) + 2 + 63) / 64 * 64;
  }

  Queue(std::byte* base, std::uint16_t entries)
      : memory(base, bytes(entries)),
        size(entries),
        descriptors(reinterpret_cast<vhost_user::Descriptor*>(base)),
        available(base + available_offset(entries)),
        used(base + used_offset(entries)),
        slots(reinterpret_cast<Slot*>(base + slots_offset(entries))),
        kick(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        call(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  [[nodiscard]] std::uint16_t* word(std::byte* place) const noexcept {
    return reinterpret_cast<std::uint16_t*>(place);
  }

  std::span<std::byte> memory;
  std::uint16_t size;
  vhost_user::Descriptor* descriptors;
  std::byte* available;
  std::byte* used;
  Slot* slots;
  Fd kick;
  Fd call;
  std::uint16_t next = 0;       // available entries written
  std::uint16_t published = 0;  // and shown to the back-end
  std::uint16_t seen = 0;       // used entries taken
  std::uint32_t descriptors_each = 1;
  std::vector<std::uint16_t> free;  // slots
  std::vector<std::uint64_t> cookies;
};

}  // namespace cede::test
