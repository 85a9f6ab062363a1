// SPDX-License-Identifier: Apache-2.0
#include "frontend/net/net_device.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "frontend/net/port_control.h"
#include "frontend/net/receive_queue.h"
#include "frontend/net/transmit_queue.h"

namespace cede::frontend {
namespace {

// How a queue pair's payload is divided, in bytes.
struct Share {
  std::uint32_t receive = 0;
  std::uint32_t transmit = 0;
};

// Nothing: a frame of full length would never fit.
std::optional<Share> divide(const Geometry& geometry, std::uint16_t pairs) noexcept {
  const std::uint64_t payload = geometry.bytes() - geometry.data_offset();
  const std::uint64_t share = payload / pairs / kPageBytes * kPageBytes;
  const std::uint64_t receive = std::uint64_t{geometry.slots} * net::kBufferBytes;
  if (share < receive + net::kMaxFrame) return std::nullopt;
  return Share{static_cast<std::uint32_t>(receive), static_cast<std::uint32_t>(share - receive)};
}

// The region is hostile memory of a known size; what the driver said of the port is not known.
std::optional<net::Info> judge(const Session& session) noexcept {
  static_assert(sizeof(net::Info) <= DeviceInfo::kBytes);
  const Geometry& geometry = session.geometry;
  net::Info info;
  std::memcpy(&info, session.info.bytes, sizeof info);
  if (!info.valid() || !geometry.valid()) return std::nullopt;
  if (geometry.slot_bytes < net::kSlotBytes || geometry.slots < net::kMinSlots ||
      geometry.rings < net::rings_for(1) || geometry.rings % 2 == 0 ||
      session.region.size() != geometry.bytes()) {
    return std::nullopt;
  }
  return info;
}

struct Pair {
  TransmitQueue transmit;
  ReceiveQueue receive;
};

}  // namespace

struct NetDevice::State {
  State(Session connected, const net::Info& told, Share share)
      : session(std::move(connected)),
        info(told),
        control(ring(net::kControlRing), session.geometry.ring_shape(), told, guard) {
    const Geometry& geometry = session.geometry;
    const RingShape shape = geometry.ring_shape();
    std::byte* const region = session.region.data();
    auto begin = static_cast<std::uint32_t>(geometry.data_offset());
    const auto count = static_cast<std::uint16_t>((geometry.rings - 1) / 2);
    pairs.reserve(count);
    for (std::uint16_t pair = 0; pair < count; ++pair) {
      pairs.push_back({TransmitQueue(region, ring(net::transmit_ring(pair)), shape,
                                     begin + share.receive, share.transmit, guard),
                       ReceiveQueue(region, ring(net::receive_ring(pair)), shape, begin, guard)});
      begin += share.receive + share.transmit;
    }
  }

  [[nodiscard]] std::byte* ring(std::uint16_t index) const noexcept {
    return session.region.data() + session.geometry.ring_offset(index);
  }
  void hear_control() noexcept {
    control.turn();
    broken |= control.broken();
  }

  Session session;
  net::Info info;
  BellGuard guard;
  PortControl control;
  std::vector<Pair> pairs;
  bool broken = false;
};

NetDevice::NetDevice(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
NetDevice::NetDevice(NetDevice&&) noexcept = default;
NetDevice& NetDevice::operator=(NetDevice&&) noexcept = default;
NetDevice::~NetDevice() = default;

Result<NetDevice> NetDevice::attach(Session session) {
  const std::optional<net::Info> info = judge(session);
  if (!info) return Status::Invalid;
  const auto pairs = static_cast<std::uint16_t>((session.geometry.rings - 1) / 2);
  const std::optional<Share> share = divide(session.geometry, pairs);
  if (!share) return Status::Invalid;
  NetDevice device(std::make_unique<State>(std::move(session), *info, *share));
  device.publish();
  return device;
}

const net::Info& NetDevice::info() const noexcept {
  return state_->info;
}
const Session& NetDevice::session() const noexcept {
  return state_->session;
}
std::uint16_t NetDevice::pairs() const noexcept {
  return static_cast<std::uint16_t>(state_->pairs.size());
}
net::LinkState NetDevice::link() const noexcept {
  return state_->control.link();
}

std::span<std::byte> NetDevice::reserve(std::uint16_t pair, std::uint32_t bytes) noexcept {
  State& state = *state_;
  if (pair >= state.pairs.size() || state.broken) return {};
  TransmitQueue& queue = state.pairs[pair].transmit;
  const std::span<std::byte> room = queue.reserve(bytes);
  state.broken = queue.broken();
  return room;
}

void NetDevice::send(std::uint16_t pair, std::uint32_t length, const net::Header& header) noexcept {
  if (pair < state_->pairs.size()) state_->pairs[pair].transmit.send(length, header);
}

std::uint32_t NetDevice::in_flight(std::uint16_t pair) const noexcept {
  return pair < state_->pairs.size() ? state_->pairs[pair].transmit.in_flight() : 0;
}

std::uint64_t NetDevice::refused() const noexcept {
  std::uint64_t sum = 0;
  for (const Pair& pair : state_->pairs) sum += pair.transmit.refused();
  return sum;
}
std::uint64_t NetDevice::unfit() const noexcept {
  std::uint64_t sum = 0;
  for (const Pair& pair : state_->pairs) sum += pair.receive.unfit();
  return sum;
}

bool NetDevice::receive(std::uint16_t pair, Frame& frame) noexcept {
  State& state = *state_;
  if (pair >= state.pairs.size() || state.broken) return false;
  const Verdict look = state.pairs[pair].receive.take(frame, state.control.wanted());
  state.broken = look == Verdict::Broken;
  if (look == Verdict::Empty) state.hear_control();
  return look == Verdict::Ready;
}

void NetDevice::release(std::uint16_t pair) noexcept {
  if (pair < state_->pairs.size()) state_->pairs[pair].receive.release();
}

void NetDevice::publish() noexcept {
  State& state = *state_;
  bool asleep = false;
  for (Pair& pair : state.pairs) {
    // Once in a batch, so that the next one finds the same room, still in the cache.
    (void)pair.transmit.reap();
    state.broken |= pair.transmit.broken();
    asleep |= pair.transmit.publish();
    asleep |= pair.receive.publish();
  }
  state.hear_control();
  asleep |= state.control.publish();
  if (asleep) state.session.kick.ring();
}

void NetDevice::set_offloads(std::uint32_t offloads) noexcept {
  state_->control.want(offloads);
}
bool NetDevice::offloads_settled() const noexcept {
  return state_->control.settled();
}

bool NetDevice::broken() const noexcept {
  return state_->broken;
}

bool NetDevice::arm(bool for_room) noexcept {
  State& state = *state_;
  for (Pair& pair : state.pairs) {
    const Verdict look = pair.receive.holds() ? Verdict::Empty : pair.receive.arm();
    state.broken |= look == Verdict::Broken;
    if (state.broken || look == Verdict::Ready) return false;
    if (for_room && !pair.transmit.arm()) {
      state.broken |= pair.transmit.broken();
      return false;
    }
  }
  if (state.control.arm()) return true;
  state.hear_control();
  return false;
}

int NetDevice::wait_fd() const noexcept {
  return state_->session.call.fd();
}
void NetDevice::clear_wakeup() noexcept {
  state_->session.call.clear();
  state_->guard.rung();
}
BellGuard& NetDevice::guard() noexcept {
  return state_->guard;
}

Session NetDevice::detach() && noexcept {
  return std::move(state_->session);
}

}  // namespace cede::frontend
