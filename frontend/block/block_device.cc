// SPDX-License-Identifier: Apache-2.0
#include "frontend/block/block_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "frontend/block/payload_allocator.h"
#include "protocols/ring.h"

namespace cede::frontend {
namespace {

using block::Info;
using block::Request;
using block::Response;

// The frontend's own record of an operation: nothing of it is ever read back from the region.
struct Flight {
  std::uint64_t cookie = 0;
  std::uint64_t sequence = 0;  // counts submissions of the device from 1; 0: not in flight
};

struct Queue {
  Queue(std::byte* base, RingShape shape, BellGuard& guard)
      : ring(base, shape, guard), flights(shape.slots) {
    for (std::uint32_t id = shape.slots; id != 0; --id) free_ids.push_back(id - 1);
  }

  GuardedRing<FrontRing<Request, Response>> ring;
  std::vector<Flight> flights;          // by id
  std::vector<std::uint32_t> free_ids;  // a stack: its top was used last; never grows
};

// `count` pages hold `bytes`.
constexpr std::uint32_t pages_for(std::uint32_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + kPageBytes - 1) / kPageBytes);
}

// The region is hostile memory of a known size; what the driver said of the device is not known.
std::optional<Info> judge(const Session& session) noexcept {
  static_assert(sizeof(Info) <= DeviceInfo::kBytes);
  Info info;
  std::memcpy(&info, session.info.bytes, sizeof info);
  if (!info.valid() || !session.geometry.valid()) return std::nullopt;
  if (session.geometry.slot_bytes < block::kSlotBytes) return std::nullopt;
  if (session.region.size() != session.geometry.bytes()) return std::nullopt;
  return info;
}

}  // namespace

struct BlockDevice::State {
  State(Session connected, const Info& told)
      : session(std::move(connected)),
        info(told),
        payload(static_cast<std::uint32_t>(session.geometry.data_offset() / kPageBytes),
                session.geometry.pages) {
    const std::uint64_t longest = payload.longest_run() * kPageBytes;
    max_transfer = static_cast<std::uint32_t>(std::min<std::uint64_t>(info.max_transfer, longest));
    queues.reserve(session.geometry.rings);
    for (std::uint16_t ring = 0; ring < session.geometry.rings; ++ring) {
      queues.emplace_back(session.region.data() + session.geometry.ring_offset(ring),
                          session.geometry.ring_shape(), guard);
    }
  }

  [[nodiscard]] bool offers(std::uint32_t feature) const noexcept {
    return (info.features & feature) != 0;
  }
  [[nodiscard]] bool on_volume(std::uint64_t sector, std::uint32_t bytes) const noexcept {
    const std::uint32_t sectors = bytes / block::kSectorBytes;
    const std::uint32_t block_sectors = info.logical_block / block::kSectorBytes;
    return bytes != 0 && bytes % info.logical_block == 0 && sector % block_sectors == 0 &&
           sector <= info.sectors && sectors <= info.sectors - sector;
  }
  [[nodiscard]] bool in_payload(Extent extent) const noexcept {
    return extent.offset % info.logical_block == 0 &&
           session.geometry.holds(extent.offset, extent.length);
  }

  [[nodiscard]] bool permits(const Operation& operation) const noexcept;
  [[nodiscard]] std::size_t drain(Queue& queue, std::span<Completion> out) noexcept;

  Session session;
  Info info;
  PayloadAllocator payload;
  BellGuard guard;
  std::vector<Queue> queues;
  std::uint32_t max_transfer = 0;
  std::uint32_t in_flight = 0;
  std::uint64_t submissions = 0;
  std::size_t poll_from = 0;  // the ring that poll() looks at first: all get their turn
  bool broken = false;
};

bool BlockDevice::State::permits(const Operation& operation) const noexcept {
  using Kind = Operation::Kind;
  switch (operation.kind) {
    case Kind::Read:
    case Kind::Write:
      return (operation.kind == Kind::Read || !offers(Info::kReadOnly)) &&
             operation.payload.length <= max_transfer && in_payload(operation.payload) &&
             on_volume(operation.sector, operation.payload.length);
    case Kind::Flush:
      return offers(Info::kFlush);
    case Kind::Discard:
    case Kind::WriteZeroes:
      return offers(operation.kind == Kind::Discard ? Info::kDiscard : Info::kWriteZeroes) &&
             !offers(Info::kReadOnly) && operation.erase_bytes <= info.max_erase &&
             on_volume(operation.sector, operation.erase_bytes);
    case Kind::GetId:
      return operation.payload.length == VIRTIO_BLK_ID_BYTES && in_payload(operation.payload);
  }
  return false;
}

namespace {

// Precondition: the operation is permitted.
Request to_request(const Operation& operation, std::uint32_t id) noexcept {
  using Kind = Operation::Kind;
  Request request;
  request.id = id;
  switch (operation.kind) {
    case Kind::Read:
    case Kind::Write:
      request.type = operation.kind == Kind::Read ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
      request.sector = operation.sector;
      request.offset = operation.payload.offset;
      request.length = operation.payload.length;
      break;
    case Kind::Flush:
      request.type = VIRTIO_BLK_T_FLUSH;
      break;
    case Kind::Discard:
    case Kind::WriteZeroes:
      request.type = operation.kind == Kind::Discard ? VIRTIO_BLK_T_DISCARD  //
                                                     : VIRTIO_BLK_T_WRITE_ZEROES;
      request.flags = operation.kind == Kind::WriteZeroes && operation.unmap ? Request::kUnmap : 0;
      request.sector = operation.sector;
      request.length = operation.erase_bytes;
      break;
    case Kind::GetId:
      request.type = VIRTIO_BLK_T_GET_ID;
      request.offset = operation.payload.offset;
      request.length = operation.payload.length;
      break;
  }
  return request;
}

}  // namespace

std::size_t BlockDevice::State::drain(Queue& queue, std::span<Completion> out) noexcept {
  std::size_t count = 0;
  Response response;
  while (count < out.size()) {
    const Verdict verdict = queue.ring.take(response);
    if (verdict == Verdict::Empty) break;
    if (verdict == Verdict::Broken || response.id >= queue.flights.size() ||
        queue.flights[response.id].sequence == 0 || response.status > VIRTIO_BLK_S_UNSUPP) {
      broken = true;
      break;
    }
    Flight& flight = queue.flights[response.id];
    out[count++] = {flight.cookie, response.status};
    flight.sequence = 0;
    queue.free_ids.push_back(response.id);
    --in_flight;
  }
  return count;
}

BlockDevice::BlockDevice(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
BlockDevice::BlockDevice(BlockDevice&&) noexcept = default;
BlockDevice& BlockDevice::operator=(BlockDevice&&) noexcept = default;
BlockDevice::~BlockDevice() = default;

Result<BlockDevice> BlockDevice::attach(Session session) {
  const std::optional<Info> info = judge(session);
  if (!info) return Status::Invalid;
  return BlockDevice(std::make_unique<State>(std::move(session), *info));
}

const Info& BlockDevice::info() const noexcept {
  return state_->info;
}
const Session& BlockDevice::session() const noexcept {
  return state_->session;
}
std::uint32_t BlockDevice::slots() const noexcept {
  return state_->session.geometry.slots;
}
std::uint16_t BlockDevice::rings() const noexcept {
  return state_->session.geometry.rings;
}
std::uint32_t BlockDevice::max_transfer() const noexcept {
  return state_->max_transfer;
}
std::uint32_t BlockDevice::in_flight() const noexcept {
  return state_->in_flight;
}
bool BlockDevice::broken() const noexcept {
  return state_->broken;
}

std::uint32_t BlockDevice::free_slots(std::uint16_t ring) const noexcept {
  if (ring >= state_->queues.size()) return 0;
  return static_cast<std::uint32_t>(state_->queues[ring].free_ids.size());
}

std::optional<Extent> BlockDevice::allocate(std::uint32_t bytes) noexcept {
  if (bytes == 0 || bytes > state_->max_transfer) return std::nullopt;
  const std::optional<std::uint32_t> page = state_->payload.take(pages_for(bytes));
  if (!page) return std::nullopt;
  return Extent{*page * kPageBytes, bytes};
}

bool BlockDevice::release(Extent extent) noexcept {
  if (extent.offset % kPageBytes != 0 || extent.offset >= state_->session.geometry.bytes() ||
      extent.length > state_->max_transfer) {
    return false;
  }
  return state_->payload.give_back(static_cast<std::uint32_t>(extent.offset / kPageBytes),
                                   pages_for(extent.length));
}

std::span<std::byte> BlockDevice::bytes(Extent extent) const noexcept {
  const Session& session = state_->session;
  if (!session.geometry.holds(extent.offset, extent.length)) return {};
  return {session.region.data() + extent.offset, extent.length};
}

Status BlockDevice::submit(const Operation& operation, std::uint16_t ring) noexcept {
  State& state = *state_;
  if (state.broken) return Status::Broken;
  if (ring >= state.queues.size() || !state.permits(operation)) return Status::Invalid;
  Queue& queue = state.queues[ring];
  if (queue.free_ids.empty()) return Status::Busy;

  const std::uint32_t id = queue.free_ids.back();
  queue.free_ids.pop_back();
  queue.flights[id] = {operation.cookie, ++state.submissions};
  ++state.in_flight;
  queue.ring.put(to_request(operation, id));
  return Status::Ok;
}

void BlockDevice::publish() noexcept {
  bool asleep = false;
  for (Queue& queue : state_->queues) asleep |= queue.ring.publish();
  if (asleep) state_->session.kick.ring();
}

std::size_t BlockDevice::poll(std::span<Completion> out) noexcept {
  State& state = *state_;
  const std::size_t rings = state.queues.size();
  std::size_t count = 0;
  for (std::size_t i = 0; i < rings && count < out.size() && !state.broken; ++i) {
    const std::size_t ring = state.poll_from;
    state.poll_from = ring + 1 == rings ? 0 : ring + 1;
    count += state.drain(state.queues[ring], out.subspan(count));
  }
  return count;
}

std::vector<std::uint64_t> BlockDevice::unanswered() const {
  std::vector<Flight> flights;
  flights.reserve(state_->in_flight);
  for (const Queue& queue : state_->queues) {
    for (const Flight& flight : queue.flights) {
      if (flight.sequence != 0) flights.push_back(flight);
    }
  }
  std::sort(flights.begin(), flights.end(),
            [](const Flight& a, const Flight& b) { return a.sequence < b.sequence; });
  std::vector<std::uint64_t> cookies;
  cookies.reserve(flights.size());
  for (const Flight& flight : flights) cookies.push_back(flight.cookie);
  return cookies;
}

bool BlockDevice::arm() noexcept {
  State& state = *state_;
  for (Queue& queue : state.queues) {
    if (state.broken) return false;
    if (queue.ring.in_flight() == 0) continue;  // nothing can come
    const Verdict verdict = queue.ring.arm();
    state.broken = verdict == Verdict::Broken;
    if (verdict != Verdict::Empty) return false;
  }
  return !state.broken;
}

int BlockDevice::wait_fd() const noexcept {
  return state_->session.call.fd();
}
void BlockDevice::clear_wakeup() noexcept {
  state_->session.call.clear();
  state_->guard.rung();
}
BellGuard& BlockDevice::guard() noexcept {
  return state_->guard;
}

Session BlockDevice::detach() && noexcept {
  return std::move(state_->session);
}

}  // namespace cede::frontend
