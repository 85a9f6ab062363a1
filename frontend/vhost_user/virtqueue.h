// SPDX-License-Identifier: Apache-2.0
// A virtqueue of either layout, for devices that give buffers back in the order in which they took
// them.
#pragma once

#include <cstdint>

#include "frontend/vhost_user/packed_queue.h"
#include "frontend/vhost_user/split_queue.h"

namespace cede::vhost_user {

class Virtqueue {
 public:
  // Continues behind the last buffer that was given back: what an earlier life took and did not
  // give back is taken again. `base` is the front-end's word for it; a split ring knows itself.
  [[nodiscard]] Status start(const GuestMemory& memory, const QueueSetup& setup,
                             std::uint32_t base) noexcept {
    packed_ = setup.packed;
    // The high half is the used position, which DPDK's virtio_user leaves out.
    if (packed_) return packed_queue_.start(memory, setup, static_cast<std::uint16_t>(base));
    const Status status = split_queue_.start(memory, setup);
    if (status == Status::Ok) split_queue_.set_next_available(split_queue_.used_index());
    return status;
  }
  [[nodiscard]] Status rebind(const GuestMemory& memory) noexcept {
    return packed_ ? packed_queue_.rebind(memory) : split_queue_.rebind(memory);
  }

  // As GET_VRING_BASE says it, once everything taken was given back.
  [[nodiscard]] std::uint32_t base() const noexcept {
    return packed_ ? position() | std::uint32_t{position()} << 16 : position();
  }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return packed_ ? packed_queue_.size() : split_queue_.size();
  }
  // What take() looks at next.
  [[nodiscard]] std::uint16_t position() const noexcept {
    return packed_ ? packed_queue_.position() : split_queue_.next_available();
  }
  // Back to a position() of before, with nothing put since: what lies behind it is taken again.
  void seek(std::uint16_t position) noexcept {
    packed_ ? packed_queue_.seek(position) : split_queue_.set_next_available(position);
  }

  [[nodiscard]] Verdict take(const GuestMemory& memory, Chain& chain) {
    return packed_ ? packed_queue_.take(memory, chain) : split_queue_.take(memory, chain);
  }
  // A look without side effects on the ring.
  [[nodiscard]] Verdict peek() noexcept {
    return packed_ ? packed_queue_.peek() : split_queue_.peek();
  }
  void put(std::uint16_t head, std::uint16_t slots, std::uint32_t written) noexcept {
    packed_ ? packed_queue_.put(head, slots, written) : split_queue_.put(head, written);
  }
  [[nodiscard]] bool publish() noexcept {
    return packed_ ? packed_queue_.publish() : split_queue_.publish();
  }
  [[nodiscard]] Verdict arm() noexcept {
    return packed_ ? packed_queue_.arm() : split_queue_.arm();
  }
  void disarm() noexcept { packed_ ? packed_queue_.disarm() : split_queue_.disarm(); }

 private:
  bool packed_ = false;
  SplitQueue split_queue_;
  PackedQueue packed_queue_;
};

}  // namespace cede::vhost_user
