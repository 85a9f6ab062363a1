// SPDX-License-Identifier: Apache-2.0
// A guest's driver for one virtqueue, split or packed (virtio 1.2, sections 2.7 and 2.8). It owns
// no memory: `place` is where the ring lies, addresses are the guest's.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "frontend/vhost_user/virtio_ring.h"

namespace cede::test {

class GuestRing {
 public:
  struct Buffer {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
    bool device_writes = false;
  };
  struct Used {
    std::uint16_t id = 0;
    std::uint32_t length = 0;
  };
  struct Shape {
    std::uint16_t size = 64;
    bool packed = false;
    bool event_index = true;
  };
  static constexpr std::size_t kTableEntries = 32;  // of one chain's indirect table

  // Offsets from the ring's place.
  [[nodiscard]] static std::size_t available_offset(std::uint16_t size) { return size * 16U; }
  [[nodiscard]] static std::size_t used_offset(std::uint16_t size) { return size * 32U + 64; }
  [[nodiscard]] static std::size_t tables_offset(std::uint16_t size) { return size * 48U + 128; }
  [[nodiscard]] static std::size_t bytes(std::uint16_t size) {
    return (tables_offset(size) + size * kTableEntries * 16 + 4095) / 4096 * 4096;
  }

  GuestRing(std::byte* place, std::uint64_t address, const Shape& shape)
      : place_(place), address_(address), shape_(shape) {
    format();
  }

  // As a driver that has just been loaded.
  void format() {
    std::memset(place_, 0, bytes(shape_.size));
    next_ = seen_ = {};
    entries_ = taken_ = 0;
    chains_.assign(shape_.size, 0);
    free_ = shape_.size;
    unpublished_ = 0;
  }

  // Makes a chain; nothing: no room. Invisible until publish().
  std::optional<std::uint16_t> add(std::span<const Buffer> buffers, bool indirect = false) {
    const std::size_t slots = indirect ? 1 : buffers.size();
    if (slots > free_ || buffers.size() > (indirect ? kTableEntries : shape_.size)) return {};
    // Chains are given back in order, so a chain can be known by its first slot.
    const std::uint16_t id = next_.index;
    if (shape_.packed) {
      add_packed(id, buffers, indirect);
    } else {
      add_split(id, buffers, indirect);
    }
    chains_[id] = static_cast<std::uint16_t>(slots);
    free_ -= slots;
    return id;
  }

  // True: the device wants a kick.
  bool publish() {
    if (unpublished_ == 0) return false;
    if (shape_.packed) {
      store16(shown_place_ + 14, shown_flags_);
    } else {
      store16(available() + 2, entries_);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint32_t count = unpublished_;
    unpublished_ = 0;
    if (shape_.packed) {
      const std::uint16_t flags = load16(used() + 2);
      if (flags != vhost_user::EventSuppression::kAtPosition) return flags == 0;
      const std::uint16_t at = load16(used());
      const bool same_lap = ((at >> 15) != 0) == next_.wrap;
      const int event = (at & 0x7fff) - (same_lap ? 0 : shape_.size);
      return vhost_user::wants_event(static_cast<std::uint16_t>(event), next_.index,
                                     static_cast<std::uint16_t>(next_.index - count));
    }
    if (!shape_.event_index) return (load16(used()) & vhost_user::kNoNotify) == 0;
    const auto event = load16(used() + vhost_user::ring_layout::used_event(shape_.size));
    return vhost_user::wants_event(event, entries_, static_cast<std::uint16_t>(entries_ - count));
  }

  // What the device gave back next.
  std::optional<Used> take() {
    Used given;
    if (shape_.packed) {
      std::byte* const entry = place_ + seen_.index * 16U;
      const std::uint16_t flags = load16(entry + 14);
      const bool is_used =
          ((flags & 0x80) != 0) == seen_.wrap && ((flags & 0x8000) != 0) == seen_.wrap;
      if (!is_used) return {};
      std::memcpy(&given.length, entry + 8, 4);
      std::memcpy(&given.id, entry + 12, 2);
    } else {
      if (load16(used() + 2) == taken_) return {};
      std::byte* const entry = used() + 4 + 8 * (taken_ % shape_.size);
      std::uint32_t id = 0;
      std::memcpy(&id, entry, 4);
      std::memcpy(&given.length, entry + 4, 4);
      given.id = static_cast<std::uint16_t>(id);
      ++taken_;
    }
    if (given.id >= shape_.size || chains_[given.id] == 0) {
      throw std::runtime_error("the device gave back what it did not have");
    }
    free_ += chains_[given.id];
    seen_ = after(seen_, chains_[given.id]);
    chains_[given.id] = 0;
    return given;
  }

  // Asks for an interrupt at the next used buffer.
  void arm() {
    if (shape_.packed) {
      const auto at = static_cast<std::uint16_t>(seen_.index | (seen_.wrap ? 0x8000 : 0));
      store16(available(), at);
      store16(available() + 2, shape_.event_index ? 2 : 0);
    } else {
      store16(available() + vhost_user::ring_layout::available_event(shape_.size), taken_);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }

  // Where the device is, if it has given back everything that was taken here.
  [[nodiscard]] std::uint32_t base() const {
    if (!shape_.packed) return taken_;
    const auto at = static_cast<std::uint32_t>(seen_.index | (seen_.wrap ? 0x8000 : 0));
    return at | at << 16;
  }

  [[nodiscard]] std::size_t free_slots() const { return free_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::byte* place() const { return place_; }
  [[nodiscard]] std::byte* available() const { return place_ + available_offset(shape_.size); }
  [[nodiscard]] std::byte* used() const { return place_ + used_offset(shape_.size); }
  [[nodiscard]] vhost_user::QueueSetup setup(std::uint64_t user_address) const {
    return {.size = shape_.size,
            .descriptors = user_address,
            .available = user_address + available_offset(shape_.size),
            .used = user_address + used_offset(shape_.size),
            .event_index = shape_.event_index,
            .indirect = true,
            .packed = shape_.packed};
  }

 private:
  struct Position {
    std::uint16_t index = 0;
    bool wrap = true;
  };

  [[nodiscard]] Position after(Position position, std::size_t slots) const {
    const std::size_t index = position.index + slots;
    const bool laps = index >= shape_.size;
    return {static_cast<std::uint16_t>(laps ? index - shape_.size : index), position.wrap != laps};
  }
  [[nodiscard]] static std::uint16_t load16(std::byte* place) {
    return std::atomic_ref(*reinterpret_cast<std::uint16_t*>(place))
        .load(std::memory_order_acquire);
  }
  static void store16(std::byte* place, std::uint16_t value) {
    std::atomic_ref(*reinterpret_cast<std::uint16_t*>(place))
        .store(value, std::memory_order_release);
  }

  void add_split(std::uint16_t id, std::span<const Buffer> buffers, bool indirect) {
    using vhost_user::Descriptor;
    std::byte* const table =
        indirect ? place_ + tables_offset(shape_.size) + id * kTableEntries * 16 : place_;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      const std::size_t at = indirect ? i : (id + i) % shape_.size;
      const std::size_t next = indirect ? i + 1 : (id + i + 1) % shape_.size;
      Descriptor one{buffers[i].address, buffers[i].length, 0, static_cast<std::uint16_t>(next)};
      one.flags = static_cast<std::uint16_t>((i + 1 < buffers.size() ? Descriptor::kNext : 0) |
                                             (buffers[i].device_writes ? Descriptor::kWrite : 0));
      std::memcpy(table + at * 16, &one, sizeof one);
    }
    if (indirect) {
      const Descriptor one{table_address(id), static_cast<std::uint32_t>(buffers.size() * 16),
                           Descriptor::kIndirect, 0};
      std::memcpy(place_ + id * 16U, &one, sizeof one);
    }
    store16(available() + 4 + 2 * (entries_ % shape_.size), id);
    ++entries_;
    ++unpublished_;
    next_ = after(next_, indirect ? 1 : buffers.size());
  }

  void add_packed(std::uint16_t id, std::span<const Buffer> buffers, bool indirect) {
    using vhost_user::Descriptor;
    using vhost_user::PackedDescriptor;
    std::vector<PackedDescriptor> ring;
    for (const Buffer& buffer : buffers) {
      ring.push_back({buffer.address, buffer.length, id,
                      buffer.device_writes ? Descriptor::kWrite : std::uint16_t{0}});
    }
    if (indirect) {
      std::memcpy(place_ + tables_offset(shape_.size) + id * kTableEntries * 16, ring.data(),
                  ring.size() * 16);
      ring = {{table_address(id), static_cast<std::uint32_t>(buffers.size() * 16), id,
               Descriptor::kIndirect}};
    }
    for (std::size_t i = 0; i < ring.size(); ++i) {
      if (i + 1 < ring.size()) ring[i].flags |= Descriptor::kNext;
      ring[i].flags |= next_.wrap ? PackedDescriptor::kAvailable : PackedDescriptor::kUsed;
      std::byte* const place = place_ + next_.index * 16U;
      // The first of a batch hides the others until publish().
      const bool hidden = unpublished_ == 0 && i == 0;
      std::memcpy(place, &ring[i], hidden ? 14 : 16);
      if (hidden) {
        shown_place_ = place;
        shown_flags_ = ring[i].flags;
      }
      next_ = after(next_, 1);
    }
    unpublished_ += static_cast<std::uint32_t>(ring.size());
  }
  [[nodiscard]] std::uint64_t table_address(std::uint16_t id) const {
    return address_ + tables_offset(shape_.size) + id * kTableEntries * 16;
  }

  std::byte* place_;
  std::uint64_t address_;
  Shape shape_;
  Position next_;              // the slot of the next chain
  Position seen_;              // the slot of the next used one
  std::uint16_t entries_ = 0;  // split: available entries written
  std::uint16_t taken_ = 0;    // split: used entries taken
  std::byte* shown_place_ = nullptr;
  std::uint16_t shown_flags_ = 0;
  std::vector<std::uint16_t> chains_;  // slots of each chain in flight, by id
  std::size_t free_ = 0;
  std::uint32_t unpublished_ = 0;
};

}  // namespace cede::test
