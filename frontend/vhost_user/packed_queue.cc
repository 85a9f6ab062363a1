// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/packed_queue.h"

#include <array>
#include <atomic>
#include <bit>
#include <span>

namespace cede::vhost_user {

namespace {

using Entry = PackedDescriptor;

// The second word of a descriptor: length, id and flags, which change hands in one access.
constexpr std::size_t kState = 8;

std::atomic_ref<std::uint64_t> word(std::byte* place) noexcept {
  return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(place));
}

bool aligned(const std::byte* place, std::uintptr_t alignment) noexcept {
  return reinterpret_cast<std::uintptr_t>(place) % alignment == 0;
}

bool flag(const Entry& entry, std::uint16_t bit) noexcept {
  return (entry.flags & bit) != 0;
}

}  // namespace

Status PackedQueue::start(const GuestMemory& memory, const QueueSetup& setup,
                          std::uint16_t position) noexcept {
  if (setup.size == 0 || setup.size > kMaxQueueSize) return Status::Invalid;
  setup_ = setup;
  if (const Status status = rebind(memory); status != Status::Ok) return status;
  const bool in_doubt = position == kBeginning && !setup_.base_known;
  next_ = in_doubt ? found_position() : Position::decoded(position);
  if (next_.index >= setup_.size) return Status::Invalid;
  used_ = next_;
  unpublished_ = 0;
  ask({0, EventSuppression::kEnable});
  return Status::Ok;
}

Status PackedQueue::rebind(const GuestMemory& memory) noexcept {
  descriptors_ = memory.user_range(setup_.descriptors, setup_.size * sizeof(Entry));
  driver_event_ = memory.user_range(setup_.available, sizeof(EventSuppression));
  device_event_ = memory.user_range(setup_.used, sizeof(EventSuppression));
  const bool found =
      descriptors_ != nullptr && driver_event_ != nullptr && device_event_ != nullptr;
  return found && aligned(descriptors_, 16) && aligned(driver_event_, 4) &&
                 aligned(device_event_, 4)
             ? Status::Ok
             : Status::Invalid;
}

PackedQueue::Position PackedQueue::after(Position position, std::uint32_t slots) const noexcept {
  const std::uint32_t index = position.index + slots;
  if (index < setup_.size) return {static_cast<std::uint16_t>(index), position.wrap};
  return {static_cast<std::uint16_t>(index - setup_.size), !position.wrap};
}

std::uint32_t PackedQueue::outstanding() const noexcept {
  return next_.index + (next_.wrap == used_.wrap ? 0 : setup_.size) - used_.index;
}

PackedDescriptor PackedQueue::descriptor(std::size_t index) const noexcept {
  std::byte* place = descriptors_ + index * sizeof(Entry);
  // Flags first: they say whether the rest is there.
  const std::uint64_t state = word(place + kState).load(std::memory_order_acquire);
  const std::uint64_t address = word(place).load(std::memory_order_relaxed);
  return std::bit_cast<Entry>(std::array{address, state});
}

bool PackedQueue::available(const Entry& entry) const noexcept {
  return flag(entry, Entry::kAvailable) == next_.wrap && flag(entry, Entry::kUsed) != next_.wrap;
}

// Before our position the used mark is this lap's, from it on that of the lap before, whatever the
// driver has made available meanwhile.
PackedQueue::Position PackedQueue::found_position() const noexcept {
  const bool first = flag(descriptor(0), Entry::kUsed);
  Position found{0, !first};
  bool mark = first;
  for (std::uint32_t i = 1; i < setup_.size; ++i) {
    if (flag(descriptor(i), Entry::kUsed) == mark) continue;
    if (found.index != 0) return {};  // chains left stale slots behind them: it cannot be told
    mark = !mark;
    found = {static_cast<std::uint16_t>(i), first};
  }
  return found;
}

Verdict PackedQueue::take(const GuestMemory& memory, Chain& chain) {
  chain.clear();
  Entry entry = descriptor(next_.index);
  if (!available(entry)) return Verdict::Empty;
  const std::uint32_t room = setup_.size - outstanding();
  Position place = next_;
  while (chain.slots < room) {
    ++chain.slots;
    place = after(place, 1);
    if (flag(entry, Descriptor::kIndirect)) {
      if (chain.slots != 1 || !add_indirect(memory, entry, chain)) return Verdict::Broken;
    } else if (!chain.add(memory, {entry.address, entry.length}, flag(entry, Descriptor::kWrite))) {
      return Verdict::Broken;
    }
    if (!flag(entry, Descriptor::kNext)) {
      chain.head = entry.id;
      next_ = place;
      return Verdict::Ready;
    }
    entry = descriptor(place.index);
  }
  return Verdict::Broken;  // longer than the ring, or over what we still have
}

bool PackedQueue::add_indirect(const GuestMemory& memory, const Entry& entry, Chain& chain) {
  const std::uint32_t entries = entry.length / sizeof(Entry);
  if (!setup_.indirect || flag(entry, Descriptor::kNext) || entry.length % sizeof(Entry) != 0 ||
      entries == 0 || entries > Chain::kMaxBuffers) {
    return false;
  }
  table_.resize(entries);
  if (!memory.read(entry.address, std::as_writable_bytes(std::span(table_)))) return false;
  // Section 2.8.7: one after the other; the only flag that counts is WRITE.
  for (const Entry& inner : table_) {
    if (flag(inner, Descriptor::kIndirect) ||
        !chain.add(memory, {inner.address, inner.length}, flag(inner, Descriptor::kWrite))) {
      return false;
    }
  }
  return true;
}

void PackedQueue::put(std::uint16_t id, std::uint16_t slots, std::uint32_t written) noexcept {
  Entry entry{.length = written, .id = id};
  if (used_.wrap) entry.flags = Entry::kAvailable | Entry::kUsed;
  if (written != 0) entry.flags = static_cast<std::uint16_t>(entry.flags | Descriptor::kWrite);
  const std::uint64_t state = std::bit_cast<std::array<std::uint64_t, 2>>(entry)[1];
  if (unpublished_ == 0) {
    hidden_ = used_;
    hidden_word_ = state;
  } else {
    show(used_, state, std::memory_order_relaxed);
  }
  unpublished_ += slots;
  used_ = after(used_, slots);
}

void PackedQueue::show(Position place, std::uint64_t state,
                       std::memory_order order) const noexcept {
  word(descriptors_ + place.index * sizeof(Entry) + kState).store(state, order);
}

bool PackedQueue::publish() noexcept {
  if (unpublished_ == 0) return false;
  show(hidden_, hidden_word_, std::memory_order_release);
  const std::uint32_t count = unpublished_;
  unpublished_ = 0;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto event = std::bit_cast<EventSuppression>(
      std::atomic_ref(*reinterpret_cast<std::uint32_t*>(driver_event_))
          .load(std::memory_order_relaxed));
  if (event.flags != EventSuppression::kAtPosition || !setup_.event_index) {
    return event.flags != EventSuppression::kDisable;
  }
  const Position wanted = Position::decoded(event.position);
  const std::uint32_t at = wanted.index - (wanted.wrap == used_.wrap ? 0 : setup_.size);
  return wants_event(static_cast<std::uint16_t>(at), used_.index,
                     static_cast<std::uint16_t>(used_.index - count));
}

Verdict PackedQueue::arm() noexcept {
  if (const Verdict verdict = peek(); verdict != Verdict::Empty) return verdict;
  if (setup_.event_index) {
    ask({next_.encoded(), EventSuppression::kAtPosition});
  } else {
    ask({0, EventSuppression::kEnable});
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return peek();
}

void PackedQueue::disarm() noexcept {
  ask({0, EventSuppression::kDisable});
}

void PackedQueue::ask(EventSuppression event) const noexcept {
  std::atomic_ref(*reinterpret_cast<std::uint32_t*>(device_event_))
      .store(std::bit_cast<std::uint32_t>(event), std::memory_order_relaxed);
}

}  // namespace cede::vhost_user
