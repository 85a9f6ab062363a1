// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/split_queue.h"

#include <atomic>

#include "protocols/shared_memory.h"

namespace cede::vhost_user {

namespace {

using namespace ring_layout;

static_assert(SharedRecord<Descriptor>);

std::atomic_ref<std::uint16_t> word(std::byte* place) noexcept {
  return std::atomic_ref(*reinterpret_cast<std::uint16_t*>(place));
}

void store_relaxed(std::byte* place, std::uint32_t value) noexcept {
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(place)).store(value, std::memory_order_relaxed);
}

bool aligned(const std::byte* place, std::uintptr_t alignment) noexcept {
  return reinterpret_cast<std::uintptr_t>(place) % alignment == 0;
}

}  // namespace

Status SplitQueue::start(const GuestMemory& memory, const Setup& setup) noexcept {
  if (setup.size == 0 || setup.size > kMaxSize || (setup.size & (setup.size - 1)) != 0) {
    return Status::Invalid;
  }
  setup_ = setup;
  if (const Status status = rebind(memory); status != Status::Ok) return status;
  used_ = published_ = word(used_ring_ + kIndex).load(std::memory_order_relaxed);
  word(used_ring_ + kFlags).store(0, std::memory_order_relaxed);
  return Status::Ok;
}

Status SplitQueue::rebind(const GuestMemory& memory) noexcept {
  const std::uint64_t size = setup_.size;
  descriptors_ = memory.user_range(setup_.descriptors, size * sizeof(Descriptor));
  available_ = memory.user_range(setup_.available, available_event(size) + 2);
  used_ring_ = memory.user_range(setup_.used, used_event(size) + 2);
  const bool found = descriptors_ != nullptr && available_ != nullptr && used_ring_ != nullptr;
  return found && aligned(descriptors_, 16) && aligned(available_, 2) && aligned(used_ring_, 4)
             ? Status::Ok
             : Status::Invalid;
}

Verdict SplitQueue::peek() noexcept {
  if (next_ != known_) return Verdict::Ready;
  const std::uint16_t index = word(available_ + kIndex).load(std::memory_order_acquire);
  if (static_cast<std::uint16_t>(index - next_) > setup_.size) return Verdict::Broken;
  known_ = index;
  return next_ == known_ ? Verdict::Empty : Verdict::Ready;
}

Verdict SplitQueue::take(const GuestMemory& memory, Chain& chain) {
  if (const Verdict verdict = peek(); verdict != Verdict::Ready) return verdict;
  const std::size_t entry = next_ & (setup_.size - 1);
  const std::uint16_t head =
      word(available_ + kEntries + kAvailableEntry * entry).load(std::memory_order_relaxed);
  ++next_;
  return fetch(memory, head, chain);
}

Verdict SplitQueue::fetch(const GuestMemory& memory, std::uint16_t head, Chain& chain) {
  chain.clear();
  chain.head = head;
  std::uint32_t index = head;
  // A chain that visits more descriptors than there are goes in circles.
  for (std::uint32_t visited = 0; visited < setup_.size; ++visited) {
    if (index >= setup_.size) return Verdict::Broken;
    const Descriptor descriptor =
        SharedSlot<Descriptor>(descriptors_ + index * sizeof(Descriptor)).copy_in();
    ++chain.slots;
    if ((descriptor.flags & Descriptor::kIndirect) != 0) {
      return add_indirect(memory, descriptor, chain) ? Verdict::Ready : Verdict::Broken;
    }
    if (!chain.add(memory, {descriptor.address, descriptor.length},
                   (descriptor.flags & Descriptor::kWrite) != 0)) {
      return Verdict::Broken;
    }
    if ((descriptor.flags & Descriptor::kNext) == 0) return Verdict::Ready;
    index = descriptor.next;
  }
  return Verdict::Broken;
}

bool SplitQueue::add_indirect(const GuestMemory& memory, const Descriptor& descriptor,
                              Chain& chain) {
  const std::uint32_t entries = descriptor.length / sizeof(Descriptor);
  if (!setup_.indirect || (descriptor.flags & Descriptor::kNext) != 0 ||
      descriptor.length % sizeof(Descriptor) != 0 || entries == 0 || entries > Chain::kMaxBuffers) {
    return false;
  }
  table_.resize(entries);
  if (!memory.read(descriptor.address, std::as_writable_bytes(std::span(table_)))) return false;
  std::uint32_t index = 0;
  for (std::uint32_t visited = 0; visited < entries; ++visited) {
    if (index >= entries) return false;
    const Descriptor& inner = table_[index];
    if ((inner.flags & Descriptor::kIndirect) != 0) return false;
    if (!chain.add(memory, {inner.address, inner.length},
                   (inner.flags & Descriptor::kWrite) != 0)) {
      return false;
    }
    if ((inner.flags & Descriptor::kNext) == 0) return true;
    index = inner.next;
  }
  return false;
}

void SplitQueue::put(std::uint16_t head, std::uint32_t written) noexcept {
  const std::size_t entry = used_ & (setup_.size - 1);
  std::byte* place = used_ring_ + kEntries + kUsedEntry * entry;
  store_relaxed(place, head);
  store_relaxed(place + 4, written);
  ++used_;
}

bool SplitQueue::publish() noexcept {
  if (used_ == published_) return false;
  const std::uint16_t old = published_;
  published_ = used_;
  word(used_ring_ + kIndex).store(used_, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!setup_.event_index) {
    const std::uint16_t flags = word(available_ + kFlags).load(std::memory_order_relaxed);
    return (flags & kNoInterrupt) == 0;
  }
  const std::uint16_t event =
      word(available_ + available_event(setup_.size)).load(std::memory_order_relaxed);
  return wants_event(event, used_, old);
}

Verdict SplitQueue::arm() noexcept {
  if (const Verdict verdict = peek(); verdict != Verdict::Empty) return verdict;
  if (setup_.event_index) {
    word(used_ring_ + used_event(setup_.size)).store(next_, std::memory_order_relaxed);
  } else {
    word(used_ring_ + kFlags).store(0, std::memory_order_relaxed);
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return peek();
}

void SplitQueue::disarm() noexcept {
  if (!setup_.event_index) {
    word(used_ring_ + kFlags).store(kNoNotify, std::memory_order_relaxed);
  }
}

}  // namespace cede::vhost_user
