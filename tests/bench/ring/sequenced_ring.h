// SPDX-License-Identifier: Apache-2.0
// Slots that say themselves whether they are full, as in FastForward and virtio's packed ring: no
// index is shared, so none has to travel.
//
// As in protocols/ring.h, a response takes the slot of an earlier request. The last word of a slot
// holds its state: 2 * index + 1 for a request, 2 * index + 2 for a response, modulo 2^32, where
// the index is free-running. Nobody sees a batch before its first slot is marked, which publish()
// does last; so consumers do not fetch lines that are still being written.
//
// With Bells::No it is the floor: nothing but the lines that have to travel, no fence, no doorbell.
#pragma once

#include "protocols/ring.h"
#include "tests/bench/ring/contender.h"

namespace cede::bench::ring {

enum class Bells : bool { No, Yes };

template <class Message, Bells kBells>
class SequencedRing {
 public:
  using Item = Message;

  static void format(std::byte* memory) {
    SharedIndex(memory + kFrontEvent).store(1, std::memory_order_relaxed);
    SharedIndex(memory + kBackEvent).store(1, std::memory_order_relaxed);
  }

  // Both sides: they differ in which mark they give, and which they wait for.
  class Side {
   public:
    Side(std::byte* memory, std::size_t own_event, std::size_t peer_event, std::uint32_t own_mark,
         std::uint32_t peer_mark)
        : slots_(memory + kSlotsAt),
          own_event_(memory + own_event),
          peer_event_(memory + peer_event),
          own_mark_(own_mark),
          peer_mark_(peer_mark) {}

    void put(const Item& item) {
      Payload payload;
      std::memcpy(&payload, &item, sizeof payload);
      SharedSlot<Payload>(slot(put_)).copy_out(payload);
      if (put_ != visible_) mark(put_).store(2 * put_ + own_mark_, std::memory_order_release);
      ++put_;
    }
    bool publish() {
      const std::uint32_t old = visible_;
      if (old == put_) return false;
      visible_ = put_;
      mark(old).store(2 * old + own_mark_, std::memory_order_release);
      if constexpr (kBells == Bells::No) return false;
      full_fence();
      return put_ - peer_event_.load(std::memory_order_relaxed) < put_ - old;
    }
    [[nodiscard]] bool take(Item& item) {
      if (!ready()) return false;
      const Payload payload = SharedSlot<Payload>(slot(taken_)).copy_in();
      std::memcpy(&item, &payload, sizeof payload);
      item.spare = 0;
      ++taken_;
      return true;
    }
    [[nodiscard]] bool arm() requires(kBells == Bells::Yes) {
      own_event_.store(taken_ + 1, std::memory_order_relaxed);
      full_fence();
      return !ready();
    }

   private:
    struct Payload {
      std::uint64_t words[Item::kWords];
    };

    [[nodiscard]] bool ready() const {
      return mark(taken_).load(std::memory_order_acquire) == 2 * taken_ + peer_mark_;
    }
    [[nodiscard]] std::byte* slot(std::uint32_t index) const {
      return slots_ + (index % kSlots) * sizeof(Item);
    }
    [[nodiscard]] SharedIndex mark(std::uint32_t index) const {
      return SharedIndex(slot(index) + offsetof(Item, spare));
    }

    std::byte* slots_;
    SharedIndex own_event_;
    SharedIndex peer_event_;
    std::uint32_t own_mark_;
    std::uint32_t peer_mark_;
    std::uint32_t put_ = 0;
    std::uint32_t visible_ = 0;
    std::uint32_t taken_ = 0;
  };
  struct Front : Side {
    explicit Front(std::byte* memory)
        : Side(memory, kFrontEvent, kBackEvent, kRequest, kResponse) {}
  };
  struct Back : Side {
    explicit Back(std::byte* memory) : Side(memory, kBackEvent, kFrontEvent, kResponse, kRequest) {}
  };

 private:
  static constexpr std::uint32_t kRequest = 1;
  static constexpr std::uint32_t kResponse = 2;
  static constexpr std::size_t kFrontEvent = RingShape::kFrontLine;
  static constexpr std::size_t kBackEvent = RingShape::kBackLine;
  static constexpr std::size_t kSlotsAt = RingShape::kSlots;
  static_assert(kSlotsAt + kSlots * sizeof(Item) <= kMaxBytes);
};

}  // namespace cede::bench::ring
