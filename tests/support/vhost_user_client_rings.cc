// SPDX-License-Identifier: Apache-2.0
#include "tests/support/vhost_user_client_rings.h"

#include <poll.h>
#include <unistd.h>

#include <cstring>

namespace cede::test {

using namespace vhost_user;  // the protocol's vocabulary

namespace {

bool readable(int fd, std::chrono::milliseconds patience) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

bool VhostUserClient::submit(std::uint16_t index, const Io& io) noexcept {
  Queue& queue = *queues_[index];
  if (queue.free.empty()) return false;
  const std::uint16_t slot_index = queue.free.back();
  queue.free.pop_back();
  queue.cookies[slot_index] = io.cookie;
  Queue::Slot& slot = queue.slots[slot_index];
  slot.header = {io.type, 0, io.sector};
  slot.status = 0xff;

  // An erasure's only data is its range, in the slot; otherwise `bytes` of the data area.
  const bool erase = io.type == VIRTIO_BLK_T_DISCARD || io.type == VIRTIO_BLK_T_WRITE_ZEROES;
  const bool device_writes = io.type == VIRTIO_BLK_T_IN || io.type == VIRTIO_BLK_T_GET_ID;
  std::uint64_t address = kGuestBase + data_offset_ + io.buffer;
  std::uint32_t left = io.bytes;
  if (erase) {
    slot.header.sector = 0;
    slot.range = {io.sector, io.bytes / 512, 0};
    address = guest_address(&slot.range);
    left = sizeof slot.range;
  }

  const auto head = static_cast<std::uint16_t>(slot_index * queue.descriptors_each);
  Descriptor* chain = options_.indirect ? slot.table.data() : &queue.descriptors[head];
  const std::uint16_t first = options_.indirect ? std::uint16_t{0} : head;
  std::uint16_t count = 0;
  const auto add = [&](std::uint64_t where, std::uint32_t length, std::uint16_t flags) {
    const auto next = static_cast<std::uint16_t>(first + count + 1);
    chain[count++] = {where, length, flags, next};
  };
  add(guest_address(&slot.header), sizeof slot.header, Descriptor::kNext);
  const std::uint16_t direction = device_writes ? Descriptor::kWrite : std::uint16_t{0};
  for (std::uint16_t i = options_.segments; i > 0 && left > 0; --i) {
    const std::uint32_t piece = left / i;
    add(address, piece, static_cast<std::uint16_t>(Descriptor::kNext | direction));
    address += piece;
    left -= piece;
  }
  add(guest_address(&slot.status), 1, Descriptor::kWrite);
  if (options_.indirect) {
    queue.descriptors[head] = {guest_address(chain),
                               static_cast<std::uint32_t>(count * sizeof(Descriptor)),
                               Descriptor::kIndirect, 0};
  }
  *queue.word(queue.available + ring_layout::kEntries + 2 * (queue.next & (queue.size - 1))) = head;
  ++queue.next;
  return true;
}

void VhostUserClient::publish(std::uint16_t index) noexcept {
  Queue& queue = *queues_[index];
  if (queue.published == queue.next) return;
  const std::uint16_t old = queue.published;
  queue.published = queue.next;
  store(queue.word(queue.available + ring_layout::kIndex), queue.next, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool kick = false;
  if (options_.event_index) {
    const auto event = load(queue.word(queue.used + ring_layout::used_event(queue.size)),
                            std::memory_order_relaxed);
    kick = wants_event(event, queue.next, old);
  } else {
    const auto flags =
        load(queue.word(queue.used + ring_layout::kFlags), std::memory_order_relaxed);
    kick = (flags & kNoNotify) == 0;
  }
  const std::uint64_t one = 1;
  if (kick) (void)!::write(queue.kick.get(), &one, sizeof one);
}

std::size_t VhostUserClient::poll(std::uint16_t index, std::span<Done> out) {
  Queue& queue = *queues_[index];
  const auto given = load(queue.word(queue.used + ring_layout::kIndex), std::memory_order_acquire);
  std::size_t count = 0;
  while (queue.seen != given && count < out.size()) {
    std::uint32_t entry[2];
    std::memcpy(entry,
                queue.used + ring_layout::kEntries +
                    ring_layout::kUsedEntry * (queue.seen & (queue.size - 1)),
                sizeof entry);
    ++queue.seen;
    const std::uint32_t slot = entry[0] / queue.descriptors_each;
    if (slot >= queue.cookies.size()) fail("a used entry that was never available");
    out[count++] = {queue.cookies[slot], queue.slots[slot].status, entry[1]};
    queue.free.push_back(static_cast<std::uint16_t>(slot));
  }
  return count;
}

std::uint32_t VhostUserClient::in_flight(std::uint16_t queue) const noexcept {
  return static_cast<std::uint32_t>(queues_[queue]->cookies.size() - queues_[queue]->free.size());
}

bool VhostUserClient::wait(std::uint16_t index, std::chrono::milliseconds patience) {
  Queue& queue = *queues_[index];
  const auto something = [&] {
    return load(queue.word(queue.used + ring_layout::kIndex), std::memory_order_acquire) !=
           queue.seen;
  };
  const auto deadline = std::chrono::steady_clock::now() + patience;
  // Without the event index every interrupt comes; with it only the one past what was seen.
  store(queue.word(queue.available + ring_layout::available_event(queue.size)), queue.seen,
        std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  while (!something()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !readable(queue.call.get(), left)) return something();
    std::uint64_t count = 0;
    (void)!::read(queue.call.get(), &count, sizeof count);
  }
  return true;
}

std::optional<std::uint8_t> VhostUserClient::execute(const Io& io, std::uint16_t queue) {
  if (!submit(queue, io)) fail("the queue is full");
  publish(queue);
  Done done;
  while (poll(queue, std::span(&done, 1)) == 0) {
    if (!wait(queue, options_.patience)) return std::nullopt;
  }
  return done.status;
}

std::span<Descriptor> VhostUserClient::descriptors(std::uint16_t queue) noexcept {
  return {queues_[queue]->descriptors, queues_[queue]->size};
}

void VhostUserClient::make_available(std::uint16_t index, std::uint16_t head) noexcept {
  Queue& queue = *queues_[index];
  *queue.word(queue.available + ring_layout::kEntries + 2 * (queue.next & (queue.size - 1))) = head;
  ++queue.next;
  publish(index);
}

int VhostUserClient::kick_fd(std::uint16_t index) const noexcept {
  return queues_[index]->kick.get();
}

int VhostUserClient::call_fd(std::uint16_t index) const noexcept {
  return queues_[index]->call.get();
}

}  // namespace cede::test
