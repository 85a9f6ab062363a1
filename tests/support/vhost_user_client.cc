// SPDX-License-Identifier: Apache-2.0
#include "tests/support/vhost_user_client.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "tests/support/vhost_user_client_rings.h"

namespace cede::test {

using namespace vhost_user;  // the protocol's vocabulary

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

}  // namespace cede::test
