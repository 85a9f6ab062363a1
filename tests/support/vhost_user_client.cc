// SPDX-License-Identifier: Apache-2.0
#include "tests/support/vhost_user_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>

namespace cede::test {

using namespace vhost_user;  // the protocol's vocabulary

namespace {

// Where the guest's memory begins in the guest's own addresses: not at zero, so that a mixed-up
// address shows.
constexpr std::uint64_t kGuestBase = 1ULL << 32;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("vhost-user: " + what);
}

bool readable(int fd, std::chrono::milliseconds patience) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(patience.count())) == 1;
}

template <class T>
T load(const T* place, std::memory_order order) noexcept {
  return std::atomic_ref(*const_cast<T*>(place)).load(order);
}
template <class T>
void store(T* place, T value, std::memory_order order) noexcept {
  std::atomic_ref(*place).store(value, order);
}

}  // namespace

// One queue's memory, by offsets from its base, and the driver's private state.
struct VhostUserClient::Queue {
  static constexpr std::uint32_t kTableEntries = 32;  // of one request's indirect table

  struct Slot {
    virtio_blk_outhdr header;
    std::uint8_t status;
    std::uint8_t padding[15];
    virtio_blk_discard_write_zeroes range;
    std::array<Descriptor, kTableEntries> table;
  };

  static std::size_t bytes(std::uint16_t size) noexcept {
    const std::size_t all = slots_offset(size) + size * sizeof(Slot);
    return (all + 4095) / 4096 * 4096;
  }
  static std::size_t available_offset(std::uint16_t size) noexcept {
    return size * sizeof(Descriptor);
  }
  static std::size_t used_offset(std::uint16_t size) noexcept {
    return (available_offset(size) + ring_layout::available_event(size) + 2 + 63) / 64 * 64;
  }
  static std::size_t slots_offset(std::uint16_t size) noexcept {
    return (used_offset(size) + ring_layout::used_event(size) + 2 + 63) / 64 * 64;
  }

  Queue(std::byte* base, std::uint16_t entries)
      : memory(base, bytes(entries)),
        size(entries),
        descriptors(reinterpret_cast<Descriptor*>(base)),
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
  Descriptor* descriptors;
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

VhostUserClient::VhostUserClient(Options options) : options_(std::move(options)) {
  const std::size_t queue_bytes = Queue::bytes(options_.queue_size);
  data_offset_ = queue_bytes * options_.queues;
  const std::uint64_t all = data_offset_ + (options_.data_bytes + 4095) / 4096 * 4096;
  memory_fd_ = Fd(::memfd_create("test-guest", MFD_CLOEXEC));
  if (::ftruncate(memory_fd_.get(), static_cast<off_t>(all)) != 0) fail("no guest memory");
  Result<Mapping> mapping = Mapping::map(memory_fd_.get(), all);
  if (!mapping) fail("guest memory cannot be mapped");
  memory_ = std::move(*mapping);
  std::memset(memory_.data(), 0, memory_.size());
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    queues_.push_back(
        std::make_unique<Queue>(memory_.data() + i * queue_bytes, options_.queue_size));
    format(*queues_.back());
  }
  negotiate();
}

VhostUserClient::~VhostUserClient() = default;

std::span<std::byte> VhostUserClient::data() const noexcept {
  return {memory_.data() + data_offset_, options_.data_bytes};
}

std::uint32_t VhostUserClient::depth() const noexcept {
  return static_cast<std::uint32_t>(queues_[0]->cookies.size());
}

std::uint64_t VhostUserClient::guest_address(const void* place) const noexcept {
  return kGuestBase +
         static_cast<std::uint64_t>(static_cast<const std::byte*>(place) - memory_.data());
}

std::uint64_t VhostUserClient::user_address(const void* place) const noexcept {
  return reinterpret_cast<std::uintptr_t>(place);
}

void VhostUserClient::format(Queue& queue) noexcept {
  std::memset(queue.memory.data(), 0, queue.memory.size());
  queue.next = queue.published = queue.seen = 0;
  queue.descriptors_each = options_.indirect ? 1 : options_.segments + 2U;
  const std::uint32_t slots = queue.size / queue.descriptors_each;
  queue.cookies.assign(slots, 0);
  queue.free.clear();
  for (std::uint32_t i = slots; i > 0; --i) queue.free.push_back(static_cast<std::uint16_t>(i - 1));
}

void VhostUserClient::negotiate() {
  connection_ = std::make_unique<VhostUserConnection>(
      VhostUserConnection::connect(options_.socket_path, options_.patience));
  VhostUserConnection& peer = *connection_;
  const auto offered = peer.get<std::uint64_t>(Request::GetFeatures);
  const auto offered_protocol = peer.get<std::uint64_t>(Request::GetProtocolFeatures);
  std::uint64_t wanted = bit(protocol_feature::kMultiQueue) | bit(protocol_feature::kReplyAck) |
                         bit(protocol_feature::kConfig);
  if (options_.inflight) wanted |= bit(protocol_feature::kInflightShmfd);
  if (options_.memory_slots) wanted |= bit(protocol_feature::kConfigureMemSlots);
  protocol_features_ = offered_protocol & wanted;
  peer.send_value(Request::SetProtocolFeatures, protocol_features_);
  if (peer.get<std::uint64_t>(Request::GetQueueNum) < options_.queues) fail("too few queues");
  peer.send(Request::SetOwner);

  std::uint64_t refused = options_.without_features;
  if (!options_.event_index) refused |= bit(kFeatureEventIndex);
  if (!options_.indirect) refused |= bit(kFeatureIndirect);
  features_ = offered & ~refused;
  if (options_.event_index && (features_ & bit(kFeatureEventIndex)) == 0) fail("no event index");
  if (options_.indirect && (features_ & bit(kFeatureIndirect)) == 0) fail("no indirect");

  struct {
    ConfigHeader header;
    std::array<std::byte, 60> space;
  } config{};
  config.header.size = sizeof config.space;
  peer.send_value(Request::GetConfig, config);
  config = peer.receive().as<decltype(config)>();
  std::memcpy(&config_, config.space.data(), sizeof config.space);
}

void VhostUserClient::share_memory() {
  const MemoryRegion region{kGuestBase, memory_.size(), user_address(memory_.data()), 0};
  const int fd = memory_fd_.get();
  std::uint64_t refused = 0;
  if ((protocol_features_ & bit(protocol_feature::kConfigureMemSlots)) != 0) {
    refused =
        connection_->acknowledged(Request::AddMemReg, SingleRegion{0, region}, std::span(&fd, 1));
  } else {
    struct {
      MemoryTableHeader header{1, 0};
      MemoryRegion region;
    } table;
    table.region = region;
    refused = connection_->acknowledged(Request::SetMemTable, table, std::span(&fd, 1));
  }
  if (refused != 0) fail("the memory is refused");
  memory_shared_ = true;
}

void VhostUserClient::start_queue(std::uint16_t index, std::uint16_t base) {
  Queue& queue = *queues_[index];
  VhostUserConnection& peer = *connection_;
  peer.send_value(Request::SetVringNum, VringState{index, queue.size});
  peer.send_value(Request::SetVringBase, VringState{index, base});
  peer.send_value(Request::SetVringAddr,
                  VringAddress{index, 0, user_address(queue.descriptors), user_address(queue.used),
                               user_address(queue.available), 0});
  const int call = queue.call.get();
  const int kick = queue.kick.get();
  peer.send_value(Request::SetVringCall, std::uint64_t{index}, std::span(&call, 1));
  peer.send_value(Request::SetVringKick, std::uint64_t{index}, std::span(&kick, 1));
}

void VhostUserClient::start(bool fresh_rings) {
  VhostUserConnection& peer = *connection_;
  peer.send_value(Request::SetFeatures, features_);
  if ((protocol_features_ & bit(protocol_feature::kInflightShmfd)) != 0) {
    if (fresh_rings) {
      const InflightDescription wanted{0, 0, options_.queues, options_.queue_size, 0};
      peer.send_value(Request::GetInflightFd, wanted);
      VhostUserConnection::Reply made = peer.receive();
      inflight_ = made.as<InflightDescription>();
      inflight_fd_ = std::move(made.fd);
    }
    const int fd = inflight_fd_.get();
    peer.send_value(Request::SetInflightFd, inflight_, std::span(&fd, 1));
  }
  if (!memory_shared_) share_memory();
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    Queue& queue = *queues_[i];
    if (fresh_rings) format(queue);
    // After a reconnect nobody knows what the back-end had taken: as QEMU, say what it gave back.
    start_queue(i, load(queue.word(queue.used + ring_layout::kIndex), std::memory_order_acquire));
  }
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    peer.send_value(Request::SetVringEnable, VringState{i, 1});
  }
  // Everything before this has been dealt with once it is answered.
  (void)peer.get<std::uint64_t>(Request::GetFeatures);
}

void VhostUserClient::restart_queue(std::uint16_t queue, std::uint16_t base) {
  start_queue(queue, base);
  connection_->send_value(Request::SetVringEnable, VringState{queue, 1});
}

std::vector<std::uint16_t> VhostUserClient::stop() {
  std::vector<std::uint16_t> bases;
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    connection_->send_value(Request::SetVringEnable, VringState{i, 0});
  }
  for (std::uint16_t i = 0; i < options_.queues; ++i) {
    connection_->send_value(Request::GetVringBase, VringState{i, 0});
    const auto state = connection_->receive(options_.patience).as<VringState>();
    bases.push_back(static_cast<std::uint16_t>(state.number));
  }
  return bases;
}

void VhostUserClient::reconnect() {
  disconnect();
  memory_shared_ = false;
  negotiate();
  start(false);
}

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

}  // namespace cede::test
