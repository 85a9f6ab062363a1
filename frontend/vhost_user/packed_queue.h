// SPDX-License-Identifier: Apache-2.0
// A packed virtqueue, the device's side (virtio 1.2, section 2.8).
//
// One ring for both directions: the driver marks descriptors as available, the device writes over
// them what it gives back, in the order in which it does. A wrap counter, flipped at each lap, says
// which lap's marks are meant. Rules against hostile guests: those of SplitQueue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "frontend/vhost_user/chain.h"
#include "frontend/vhost_user/guest_memory.h"
#include "frontend/vhost_user/virtio_ring.h"
#include "protocols/ring.h"
#include "protocols/status.h"

namespace cede::vhost_user {

class PackedQueue {
 public:
  // A position's index, and the wrap counter in bit 15: as in VRING_BASE.
  static constexpr std::uint16_t kWrap = 1 << 15;
  // Where a fresh ring begins.
  static constexpr std::uint16_t kBeginning = kWrap;

  // Continues at `position`. A front-end whose back-end died cannot know where that had got to and
  // says kBeginning (QEMU 7.2 does; its issue 248); the ring itself tells, as long as each buffer
  // took one slot, which is what guests do with indirect descriptors. It is not asked where the
  // position is known.
  // Invalid: a size, address or position that cannot be.
  [[nodiscard]] Status start(const GuestMemory& memory, const QueueSetup& setup,
                             std::uint16_t position) noexcept;
  // After the memory changed: finds the ring again. Invalid: it is gone; the queue is unusable.
  [[nodiscard]] Status rebind(const GuestMemory& memory) noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return setup_.size; }
  // What take() looks at next.
  [[nodiscard]] std::uint16_t position() const noexcept { return next_.encoded(); }
  // To a position() of before, with nothing put since.
  void seek(std::uint16_t position) noexcept { next_ = Position::decoded(position); }

  // Ready: `chain` is the next available one.
  [[nodiscard]] Verdict take(const GuestMemory& memory, Chain& chain);
  // Is there a chain to take?
  [[nodiscard]] Verdict peek() const noexcept {
    return available(descriptor(next_.index)) ? Verdict::Ready : Verdict::Empty;
  }

  // Gives a chain of `slots` slots back with `written` bytes in it. Invisible until publish().
  void put(std::uint16_t id, std::uint16_t slots, std::uint32_t written) noexcept;
  // True: the driver wants an interrupt for it.
  [[nodiscard]] bool publish() noexcept;

  // Asks for a kick at the next available chain. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept;
  // Asks for no kicks.
  void disarm() noexcept;

 private:
  struct Position {
    std::uint16_t index = 0;
    bool wrap = true;

    [[nodiscard]] std::uint16_t encoded() const noexcept {
      return static_cast<std::uint16_t>(index | (wrap ? kWrap : 0));
    }
    [[nodiscard]] static Position decoded(std::uint16_t value) noexcept {
      return {static_cast<std::uint16_t>(value & ~kWrap), (value & kWrap) != 0};
    }
  };

  [[nodiscard]] Position after(Position position, std::uint32_t slots) const noexcept;
  // Slots taken and not given back.
  [[nodiscard]] std::uint32_t outstanding() const noexcept;
  [[nodiscard]] Position found_position() const noexcept;
  [[nodiscard]] PackedDescriptor descriptor(std::size_t index) const noexcept;
  [[nodiscard]] bool available(const PackedDescriptor& descriptor) const noexcept;
  [[nodiscard]] bool add_indirect(const GuestMemory& memory, const PackedDescriptor& descriptor,
                                  Chain& chain);
  void show(Position place, std::uint64_t word, std::memory_order order) const noexcept;
  void ask(EventSuppression event) const noexcept;

  QueueSetup setup_;
  std::byte* descriptors_ = nullptr;
  std::byte* driver_event_ = nullptr;
  std::byte* device_event_ = nullptr;
  Position next_;  // of the next chain to take
  Position used_;  // where the next chain is given back
  // The first descriptor given back since publish(), which hides those after it until it is shown.
  Position hidden_;
  std::uint64_t hidden_word_ = 0;
  std::uint32_t unpublished_ = 0;  // slots
  std::vector<PackedDescriptor> table_;
};

}  // namespace cede::vhost_user
