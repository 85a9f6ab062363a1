// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/virtio_net.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "protocols/virtio_net.h"

namespace cede::vhost_user {

using frontend::NetDevice;
using net::Offload;

namespace {

// So many are given back to the driver and shown to the guest at a time.
constexpr std::uint32_t kPublishEvery = 32;

// One thing that can be left undone in a frame, and its feature bits for either direction (section
// 5.1.3).
struct OffloadFeature {
  std::uint32_t offload;
  std::uint64_t host;   // the device takes it from the guest
  std::uint64_t guest;  // the guest takes it from the device: all of them
};
constexpr OffloadFeature kOffloads[] = {
    {Offload::kChecksum, bit(VIRTIO_NET_F_CSUM), bit(VIRTIO_NET_F_GUEST_CSUM)},
    {Offload::kTso4, bit(VIRTIO_NET_F_HOST_TSO4), bit(VIRTIO_NET_F_GUEST_TSO4)},
    {Offload::kTso6, bit(VIRTIO_NET_F_HOST_TSO6), bit(VIRTIO_NET_F_GUEST_TSO6)},
    {Offload::kEcn, bit(VIRTIO_NET_F_HOST_ECN), bit(VIRTIO_NET_F_GUEST_ECN)},
    {Offload::kUso, bit(VIRTIO_NET_F_HOST_USO),
     bit(VIRTIO_NET_F_GUEST_USO4) | bit(VIRTIO_NET_F_GUEST_USO6)},
};

constexpr std::size_t kLegacyHeader = sizeof(virtio_net_hdr);  // without num_buffers

}  // namespace

VirtioNet::VirtioNet(std::uint16_t pairs, std::uint32_t slots)
    : geometry_(net::port_geometry(pairs, slots)), pairs_(pairs) {}

VirtioNet::~VirtioNet() {
  report_losses();
}

// ---- The front-end ----

std::uint64_t VirtioNet::features() const noexcept {
  std::uint64_t features = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_F_RING_PACKED) |
                           bit(VIRTIO_F_IN_ORDER) | bit(kFeatureIndirect) |
                           bit(kFeatureEventIndex) | bit(kFeatureProtocolFeatures) |
                           bit(VIRTIO_NET_F_MRG_RXBUF) | bit(VIRTIO_NET_F_STATUS) |
                           bit(VIRTIO_NET_F_MTU) | bit(VIRTIO_NET_F_MAC);
  if (pairs_.size() > 1) features |= bit(VIRTIO_NET_F_MQ);
  for (const OffloadFeature& one : kOffloads) {
    features |= one.guest;
    if (info_ && (info_->offloads & one.offload) != 0) features |= one.host;
  }
  return features;
}

void VirtioNet::accept(std::uint64_t features) noexcept {
  const auto has = [&](unsigned number) { return (features & bit(number)) != 0; };
  format_.mergeable = has(VIRTIO_NET_F_MRG_RXBUF);
  const bool long_header = format_.mergeable || has(VIRTIO_F_VERSION_1);
  format_.header_bytes =
      static_cast<std::uint32_t>(long_header ? sizeof(net::Header) : kLegacyHeader);
  guest_offloads_ = 0;
  for (const OffloadFeature& one : kOffloads) {
    if ((features & one.guest) == one.guest) guest_offloads_ |= one.offload;
  }
  // Nothing else without it, says section 5.1.3.1, and so does the driver: it would refuse all.
  if ((guest_offloads_ & Offload::kChecksum) == 0) guest_offloads_ = 0;
  tell_offloads();
}

std::uint64_t VirtioNet::protocol_features() const noexcept {
  return bit(protocol_feature::kMtu) | bit(protocol_feature::kStatus);
}

Status VirtioNet::set_mtu(std::uint64_t bytes) noexcept {
  if (info_ && bytes >= net::kMinMtu && bytes <= info_->mtu) return Status::Ok;
  spdlog::error("{}: the VMM's host_mtu={} is not between {} and the port's {}", name(), bytes,
                net::kMinMtu, info_ ? info_->mtu : 0);
  return Status::Invalid;
}

NetQueue& VirtioNet::net_queue(std::uint16_t index) noexcept {
  Pair& pair = pairs_[index / 2];
  if (index % 2 == 0) return pair.receive;
  return pair.transmit;
}

Status VirtioNet::start_queue(std::uint16_t index, const QueueSetup& setup, std::uint32_t base,
                              InflightQueue /*record*/, bool /*outlives*/) {
  Pair& pair = pairs_[index / 2];
  return index % 2 == 0 ? pair.receive.start(memory(), setup, base)
                        : pair.transmit.start(memory(), setup, base);
}

std::uint32_t VirtioNet::stop_queue(std::uint16_t index) noexcept {
  return net_queue(index).stop();
}

void VirtioNet::rebind() noexcept {
  for (std::uint16_t i = 0; i < queues(); ++i) net_queue(i).rebind(memory());
}

// ---- The driver domain ----

Status VirtioNet::connect(frontend::Session session) {
  Result<NetDevice> attached = NetDevice::attach(std::move(session));
  if (!attached) return attached.status();
  const net::Info& now = attached->info();
  spdlog::info("{}: connected, MTU {}", name(), now.mtu);
  if (!info_) info_ = now;
  if ((info_->offloads & ~now.offloads) != 0) {
    spdlog::error(
        "{}: the new driver takes fewer offloads than the guest was promised: {:#x}, {:#x}", name(),
        now.offloads, info_->offloads);
  }
  session_.emplace(std::move(*attached));
  incoming_.assign(session_->pairs(), {});
  tell_offloads();
  return Status::Ok;
}

void VirtioNet::disconnect() {
  if (session_) losses_.ended(*session_);
  session_.reset();
  report_losses();
}

void VirtioNet::report_losses() {
  std::uint64_t malformed = 0;
  std::uint64_t lost = 0;
  for (const Pair& pair : pairs_) {
    malformed += pair.transmit.malformed();
    lost += pair.transmit.lost();
  }
  losses_.log(name(), session_ ? &*session_ : nullptr,
              {{malformed, "malformed"},
               {lost, "without a session"},
               {undeliverable_, "that the guest had no buffers for"}});
}

void VirtioNet::tell_offloads() noexcept {
  if (session_) session_->set_offloads(guest_offloads_);
}

NetDevice* VirtioNet::usable_session() noexcept {
  return session_ && !session_->broken() ? &*session_ : nullptr;
}

// ---- The work ----

bool VirtioNet::progress() {
  bool moved = false;
  NetDevice* const session = usable_session();
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    pair.receive.disarm();
    pair.transmit.disarm();
    const auto session_pair =
        static_cast<std::uint16_t>(session != nullptr ? i % session->pairs() : 0);
    moved |= pair.transmit.pass(memory(), session, session_pair, format_);
  }
  if (session != nullptr) {
    for (std::uint16_t i = 0; i < session->pairs(); ++i) moved |= receive(i);
    session->publish();
  }
  for (Pair& pair : pairs_) {
    pair.receive.publish();
    pair.transmit.publish();
  }
  return moved;
}

// A guest that uses fewer queues than it has gets everything on those.
NetReceiveQueue* VirtioNet::receiver(std::uint16_t session_pair) noexcept {
  std::uint16_t serving = 0;
  for (const Pair& pair : pairs_)
    serving = static_cast<std::uint16_t>(serving + pair.receive.serving());
  if (serving == 0) return nullptr;
  auto skip = static_cast<std::uint16_t>(session_pair % serving);
  for (Pair& pair : pairs_) {
    if (pair.receive.serving() && skip-- == 0) return &pair.receive;
  }
  return nullptr;
}

bool VirtioNet::receive(std::uint16_t session_pair) {
  Incoming& incoming = incoming_[session_pair];
  NetReceiveQueue* const queue = receiver(session_pair);
  std::uint32_t taken = 0;
  for (frontend::Turn turn(kPerFrame); !turn.over(); ++taken) {
    if (!incoming.held && !session_->receive(session_pair, incoming.frame)) break;
    incoming.held = true;
    const auto outcome = queue != nullptr ? queue->deliver(memory(), incoming.frame, format_)
                                          : NetReceiveQueue::Outcome::Lost;
    if (outcome == NetReceiveQueue::Outcome::Waits) break;
    if (outcome == NetReceiveQueue::Outcome::Lost) ++undeliverable_;
    turn.spend(incoming.frame.length);
    session_->release(session_pair);
    incoming.held = false;
    if ((taken + 1) % kPublishEvery == 0) {
      session_->publish();
      if (queue != nullptr) queue->publish();
    }
  }
  return taken != 0;
}

bool VirtioNet::arm() {
  bool more = false;
  bool for_room = false;
  for (Pair& pair : pairs_) {
    for_room |= pair.transmit.starved();
    if (!pair.transmit.starved()) more |= pair.transmit.arm();
    more |= pair.receive.arm();
  }
  if (NetDevice* const session = usable_session(); session != nullptr) {
    more |= !session->arm(for_room) && !session->broken();
  }
  return more;
}

}  // namespace cede::vhost_user
