// SPDX-License-Identifier: Apache-2.0
// A split virtqueue, the device's side (virtio 1.2, section 2.7).
//
// Whatever lies in the queue's memory may change at any time. Every index, entry and descriptor is
// fetched once and judged as copied. A queue whose driver breaks the rules is Broken: its owner
// stops it; other queues do not notice.
//
// PackedQueue has the same operations; Virtqueue is either of them.
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

class SplitQueue {
 public:
  using Setup = QueueSetup;

  static constexpr std::uint32_t kMaxSize = kMaxQueueSize;

  // Invalid: a size or an address that cannot be. The used index continues from the queue's memory.
  [[nodiscard]] Status start(const GuestMemory& memory, const Setup& setup) noexcept;
  // After the memory changed: finds the rings again. Invalid: they are gone; the queue is unusable.
  [[nodiscard]] Status rebind(const GuestMemory& memory) noexcept;

  [[nodiscard]] std::uint32_t size() const noexcept { return setup_.size; }
  // The next entry of the available ring that take() looks at.
  [[nodiscard]] std::uint16_t next_available() const noexcept { return next_; }
  void set_next_available(std::uint16_t index) noexcept { next_ = known_ = index; }
  [[nodiscard]] std::uint16_t used_index() const noexcept { return used_; }

  // Ready: `chain` is the next available one.
  [[nodiscard]] Verdict take(const GuestMemory& memory, Chain& chain);
  // Reads the chain at `head` again, as it stands now. Ready or Broken.
  [[nodiscard]] Verdict fetch(const GuestMemory& memory, std::uint16_t head, Chain& chain);

  // Is there a chain to take?
  [[nodiscard]] Verdict peek() noexcept;

  // Gives a chain back with `written` bytes in it. Invisible until publish().
  void put(std::uint16_t head, std::uint32_t written) noexcept;
  // True: the driver wants an interrupt for it.
  [[nodiscard]] bool publish() noexcept;

  // Asks for a kick at the next available chain. Sleep only on Empty.
  [[nodiscard]] Verdict arm() noexcept;
  // Asks for no kicks; with the event index that is the default.
  void disarm() noexcept;

 private:
  [[nodiscard]] bool add_indirect(const GuestMemory& memory, const Descriptor& descriptor,
                                  Chain& chain);

  Setup setup_;
  std::byte* descriptors_ = nullptr;
  std::byte* available_ = nullptr;
  std::byte* used_ring_ = nullptr;
  std::uint16_t next_ = 0;         // next available entry to take
  std::uint16_t known_ = 0;        // the last judged copy of the driver's index
  std::uint16_t used_ = 0;         // chains given back
  std::uint16_t published_ = 0;    // what the driver was told of them
  std::vector<Descriptor> table_;  // a copy of an indirect table
};

}  // namespace cede::vhost_user
