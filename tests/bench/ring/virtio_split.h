// SPDX-License-Identifier: Apache-2.0
// A virtio split ring with event indices (virtio 1.2, section 2.7), in its most favourable form:
// each request is a chain of two descriptors, one to read and one to write, which never change, so
// their lines stay with both sides; buffers are used in order.
#pragma once

#define VIRTIO_RING_NO_LEGACY  // what that adds does not compile as C++
#include <linux/virtio_ring.h>

#include <atomic>

#include "protocols/shared_memory.h"
#include "tests/bench/ring/contender.h"

namespace cede::bench::ring {

template <class Message>
class VirtioSplit {
 public:
  using Item = Message;

  static void format(std::byte* memory) {
    const vring ring = ring_in(memory);
    for (std::uint16_t i = 0; i < kSlots; ++i) {
      const auto head = static_cast<std::uint16_t>(2 * i);
      const auto second = static_cast<std::uint16_t>(head + 1);
      ring.desc[head] = {request_offset(i), sizeof(Item), VRING_DESC_F_NEXT, second};
      ring.desc[second] = {response_offset(i), sizeof(Item), VRING_DESC_F_WRITE, 0};
    }
  }

  // The driver, in virtio's words.
  class Front {
   public:
    explicit Front(std::byte* memory) : memory_(memory), ring_(ring_in(memory)) {}

    void put(const Item& item) {
      const auto slot = static_cast<std::uint16_t>(avail_ % kSlots);
      SharedSlot<Item>(memory_ + request_offset(slot)).copy_out(item);
      word(ring_.avail->ring[avail_++ % kSize]) = static_cast<std::uint16_t>(2 * slot);
    }
    [[nodiscard]] bool publish() {
      const std::uint16_t old = visible_;
      visible_ = avail_;
      index(ring_.avail->idx).store(avail_, std::memory_order_release);
      full_fence();
      return vring_need_event(avail_event(memory_), avail_, old) != 0;
    }
    [[nodiscard]] bool take(Item& item) {
      if (used_ == seen_) {
        seen_ = index(ring_.used->idx).load(std::memory_order_acquire);
        if (used_ == seen_) return false;
      }
      const std::uint32_t head =
          std::atomic_ref(ring_.used->ring[used_ % kSize].id).load(std::memory_order_relaxed);
      if (head >= kSize) broken();
      item = SharedSlot<Item>(memory_ + response_offset(static_cast<std::uint16_t>(head / 2)))
                 .copy_in();
      ++used_;
      return true;
    }
    [[nodiscard]] bool arm() {
      used_event(memory_) = used_;
      full_fence();
      return index(ring_.used->idx).load(std::memory_order_acquire) == used_;
    }

   private:
    std::byte* memory_;
    vring ring_;
    std::uint16_t avail_ = 0;
    std::uint16_t visible_ = 0;
    std::uint16_t used_ = 0;
    std::uint16_t seen_ = 0;
  };

  // The device.
  class Back {
   public:
    explicit Back(std::byte* memory) : memory_(memory), ring_(ring_in(memory)) {}

    [[nodiscard]] bool take(Item& item) {
      if (avail_ == seen_) {
        seen_ = index(ring_.avail->idx).load(std::memory_order_acquire);
        if (avail_ == seen_) return false;
      }
      const std::uint16_t head = word(ring_.avail->ring[avail_ % kSize]);
      if (head >= kSize) broken();
      const vring_desc readable = ring_.desc[head];
      if (readable.addr > kMaxBytes - sizeof(Item) || readable.len != sizeof(Item)) broken();
      item = SharedSlot<Item>(memory_ + readable.addr).copy_in();
      heads_[avail_++ % kSlots] = head;
      return true;
    }
    void put(const Item& item) {
      const std::uint16_t head = heads_[used_ % kSlots];
      const vring_desc writable = ring_.desc[ring_.desc[head].next % kSize];
      if (writable.addr > kMaxBytes - sizeof(Item) || writable.len != sizeof(Item)) broken();
      SharedSlot<Item>(memory_ + writable.addr).copy_out(item);
      vring_used_elem& entry = ring_.used->ring[used_++ % kSize];
      std::atomic_ref(entry.id).store(head, std::memory_order_relaxed);
      std::atomic_ref(entry.len).store(sizeof(Item), std::memory_order_relaxed);
    }
    [[nodiscard]] bool publish() {
      const std::uint16_t old = visible_;
      visible_ = used_;
      index(ring_.used->idx).store(used_, std::memory_order_release);
      full_fence();
      return vring_need_event(used_event(memory_), used_, old) != 0;
    }
    [[nodiscard]] bool arm() {
      avail_event(memory_) = avail_;
      full_fence();
      return index(ring_.avail->idx).load(std::memory_order_acquire) == avail_;
    }

   private:
    std::byte* memory_;
    vring ring_;
    std::uint16_t avail_ = 0;
    std::uint16_t seen_ = 0;
    std::uint16_t used_ = 0;
    std::uint16_t visible_ = 0;
    std::uint16_t heads_[kSlots] = {};  // of the requests taken and not answered
  };

 private:
  static constexpr std::uint16_t kSize = 2 * kSlots;  // descriptors
  static constexpr std::size_t kAvailAt = kSize * sizeof(vring_desc);
  static constexpr std::size_t kBehindAvail =
      kAvailAt + sizeof(vring_avail) + kSize * sizeof(std::uint16_t);
  static constexpr std::size_t kUsedAt = (kBehindAvail / kCacheLine + 1) * kCacheLine;
  static constexpr std::size_t kBehindUsed =
      kUsedAt + sizeof(vring_used) + kSize * sizeof(vring_used_elem);
  static constexpr std::size_t kBuffers = 32 << 10;
  static_assert(kBehindUsed < kBuffers);
  static_assert(kBuffers + 2 * kSlots * sizeof(Item) <= kMaxBytes);

  static std::atomic_ref<std::uint16_t> index(std::uint16_t& place) {
    return std::atomic_ref(place);
  }
  // A 16-bit word whose order does not matter.
  class Word {
   public:
    explicit Word(std::uint16_t& place) : place_(place) {}
    operator std::uint16_t() const {  // NOLINT: implicit, so that it reads like the field it is
      return place_.load(std::memory_order_relaxed);
    }
    void operator=(std::uint16_t value) const {  // NOLINT: as above
      place_.store(value, std::memory_order_relaxed);
    }

   private:
    std::atomic_ref<std::uint16_t> place_;
  };
  static Word word(std::uint16_t& place) { return Word(place); }

  static vring ring_in(std::byte* memory) {
    return {.num = kSize,
            .desc = reinterpret_cast<vring_desc*>(memory),
            .avail = reinterpret_cast<vring_avail*>(memory + kAvailAt),
            .used = reinterpret_cast<vring_used*>(memory + kUsedAt)};
  }
  // The driver's and the device's "ring me when your index passes this", behind their own rings.
  static Word used_event(std::byte* memory) {
    return Word(*reinterpret_cast<std::uint16_t*>(memory + kBehindAvail));
  }
  static Word avail_event(std::byte* memory) {
    return Word(*reinterpret_cast<std::uint16_t*>(memory + kBehindUsed));
  }
  static std::size_t request_offset(std::uint16_t slot) { return kBuffers + slot * sizeof(Item); }
  static std::size_t response_offset(std::uint16_t slot) {
    return kBuffers + (kSlots + slot) * sizeof(Item);
  }
};

}  // namespace cede::bench::ring
