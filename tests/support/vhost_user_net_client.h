// SPDX-License-Identifier: Apache-2.0
// A small vhost-user-net front-end: what QEMU and its guest are together, without either.
//
// One or more queue pairs, split or packed. Each ring slot has a buffer of its own, every receive
// buffer is posted. What goes wrong throws std::runtime_error. One thread.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "frontend/vhost_user/protocol.h"
#include "protocols/net.h"
#include "protocols/posix/mapping.h"
#include "tests/support/guest_ring.h"
#include "tests/support/session_parts.h"
#include "tests/support/vhost_user_connection.h"

namespace cede::test {

class VhostUserNetClient {
 public:
  using Bytes = std::vector<std::byte>;

  struct Options {
    std::string socket_path;
    std::uint16_t pairs = 1;
    std::uint16_t size = 64;
    bool packed = false;
    std::uint64_t more_features = 0;
    std::chrono::milliseconds patience = std::chrono::seconds(20);
  };
  static constexpr std::size_t kBuffer = 2048;
  // VIRTIO_CONFIG_S_ACKNOWLEDGE, _DRIVER, _FEATURES_OK and _DRIVER_OK.
  static constexpr std::uint8_t kDriverIsReady = 1 | 2 | 8 | 4;
  // Where the guest's memory begins in its own addresses.
  static constexpr std::uint64_t kGuestBase = 1ULL << 32;

  explicit VhostUserNetClient(Options options) : options_(std::move(options)) {
    const std::size_t each = GuestRing::bytes(options_.size) + options_.size * kBuffer;
    memory_fd_ = checked(::memfd_create("test-guest", MFD_CLOEXEC));
    const std::size_t all = each * queues();
    if (::ftruncate(memory_fd_.get(), static_cast<off_t>(all)) != 0)
      throw std::runtime_error("memory");
    Result<Mapping> mapping = Mapping::map(memory_fd_.get(), all);
    if (!mapping) throw std::runtime_error("guest memory cannot be mapped");
    memory_ = std::move(*mapping);
    for (std::uint16_t i = 0; i < queues(); ++i) {
      rings_.emplace_back(memory_.data() + i * each, kGuestBase + i * each,
                          GuestRing::Shape{options_.size, options_.packed, true});
      kicks_.push_back(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
      calls_.push_back(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
      next_.push_back(0);
      received_.push_back(0);
    }
    connect();
  }

  [[nodiscard]] VhostUserConnection& connection() { return *connection_; }
  [[nodiscard]] std::uint64_t offered() const { return offered_; }
  [[nodiscard]] std::uint64_t offered_protocol() const { return offered_protocol_; }
  [[nodiscard]] GuestRing& ring(std::uint16_t queue) { return rings_[queue]; }
  [[nodiscard]] int memory_fd() const { return memory_fd_.get(); }
  [[nodiscard]] int kick_fd(std::uint16_t queue) const { return kicks_[queue].get(); }
  [[nodiscard]] int call_fd(std::uint16_t queue) const { return calls_[queue].get(); }
  // Where a queue's buffers are in the memory, `size` of kBuffer bytes.
  [[nodiscard]] std::uint64_t buffers_offset(std::uint16_t queue) const {
    return static_cast<std::uint64_t>(buffers(queue) - memory_.data());
  }

  // A driver that begins: fresh rings, all receive buffers posted.
  void start() {
    for (GuestRing& ring : rings_) ring.format();
    std::fill(next_.begin(), next_.end(), 0);
    std::fill(received_.begin(), received_.end(), 0);
    for (std::uint16_t i = 0; i < queues(); ++i) {
      start_queue(i, options_.packed ? 0x80008000U : 0);
    }
    enable();
    for (std::uint16_t i = 0; i < queues(); i = static_cast<std::uint16_t>(i + 2)) {
      while (rings_[i].free_slots() != 0) post(i);
      show(i);
    }
  }
  // As QEMU after it has lost its back-end: split rings go on at the used index, of packed ones it
  // knows nothing.
  void reconnect() {
    connection_.reset();
    connect();
    for (std::uint16_t i = 0; i < queues(); ++i) {
      std::uint16_t used = 0;
      std::memcpy(&used, rings_[i].used() + 2, sizeof used);
      start_queue(i, options_.packed ? 0x80008000U : used);
    }
    enable();
  }
  // Stops each queue as a guest's driver does, and starts it again.
  void restart() {
    for (std::uint16_t i = 0; i < queues(); ++i) {
      connection_->send_value(vhost_user::Request::GetVringBase, vhost_user::VringState{i, 0});
      const auto state = connection_->receive(options_.patience).as<vhost_user::VringState>();
      start_queue(i, state.number);
    }
    enable();
  }

  // False: no room, ever. `in_two`: the header has a buffer of its own.
  bool send(std::span<const std::byte> frame, std::uint16_t pair = 0,
            const net::Header& header = {}, bool in_two = false) {
    const auto queue = static_cast<std::uint16_t>(2 * pair + 1);
    GuestRing& ring = rings_[queue];
    const auto deadline = std::chrono::steady_clock::now() + options_.patience;
    while (ring.take()) {
    }
    while (ring.free_slots() < (in_two ? 2 : 1)) {
      if (!ring.take() && !wait(queue, deadline)) return false;
    }
    std::byte* const place = buffers(queue) + next_[queue]++ % options_.size * kBuffer;
    std::memcpy(place, &header, sizeof header);
    std::memcpy(place + sizeof header, frame.data(), frame.size());
    constexpr std::uint32_t kHeader = sizeof header;
    const auto bytes = static_cast<std::uint32_t>(frame.size());
    if (in_two) {
      const GuestRing::Buffer buffers[] = {{address(place), kHeader, false},
                                           {address(place + kHeader), bytes, false}};
      (void)ring.add(buffers);
    } else {
      const GuestRing::Buffer buffer{address(place), kHeader + bytes, false};
      (void)ring.add(std::span(&buffer, 1));
    }
    show(queue);
    return true;
  }
  // The next frame, of buffers that are posted again; nothing within the patience.
  std::optional<Bytes> receive(std::uint16_t pair = 0) {
    return receive_within(options_.patience, pair);
  }
  std::optional<Bytes> receive_within(std::chrono::milliseconds patience, std::uint16_t pair = 0) {
    const auto queue = static_cast<std::uint16_t>(2 * pair);
    GuestRing& ring = rings_[queue];
    const auto deadline = std::chrono::steady_clock::now() + patience;
    Bytes frame;
    for (std::uint16_t left = 1; left != 0; --left) {
      std::optional<GuestRing::Used> used;
      while (!(used = ring.take())) {
        if (!wait(queue, deadline)) return {};
      }
      // Buffers are used in order.
      const std::byte* const from = buffers(queue) + received_[queue]++ % options_.size * kBuffer;
      const std::size_t skip = frame.empty() ? sizeof(net::Header) : 0;
      if (frame.empty()) {
        net::Header header;
        std::memcpy(&header, from, sizeof header);
        left = header.num_buffers;
      }
      frame.insert(frame.end(), from + skip, from + used->length);
      post(queue);
    }
    show(queue);
    return frame;
  }

  void start_queue(std::uint16_t queue, std::uint32_t base) {
    using namespace vhost_user;
    const QueueSetup setup = rings_[queue].setup(user_address(rings_[queue].place()));
    connection_->send_value(Request::SetVringNum, VringState{queue, setup.size});
    connection_->send_value(Request::SetVringBase, VringState{queue, base});
    connection_->send_value(Request::SetVringAddr, VringAddress{queue, 0, setup.descriptors,
                                                                setup.used, setup.available, 0});
    const int call = calls_[queue].get();
    const int kick = kicks_[queue].get();
    connection_->send_value(Request::SetVringCall, std::uint64_t{queue}, std::span(&call, 1));
    connection_->send_value(Request::SetVringKick, std::uint64_t{queue}, std::span(&kick, 1));
  }

 private:
  [[nodiscard]] std::uint16_t queues() const {
    return static_cast<std::uint16_t>(2 * options_.pairs);
  }
  [[nodiscard]] std::byte* buffers(std::uint16_t queue) const {
    return rings_[queue].place() + GuestRing::bytes(options_.size);
  }
  [[nodiscard]] std::uint64_t address(const std::byte* place) const {
    return kGuestBase + static_cast<std::uint64_t>(place - memory_.data());
  }
  [[nodiscard]] static std::uint64_t user_address(const std::byte* place) {
    return reinterpret_cast<std::uintptr_t>(place);
  }

  void connect() {
    using namespace vhost_user;
    connection_ = std::make_unique<VhostUserConnection>(
        VhostUserConnection::connect(options_.socket_path, options_.patience));
    offered_ = connection_->get<std::uint64_t>(Request::GetFeatures);
    offered_protocol_ = connection_->get<std::uint64_t>(Request::GetProtocolFeatures);
    connection_->send_value(Request::SetProtocolFeatures,
                            bit(protocol_feature::kMultiQueue) | bit(protocol_feature::kReplyAck) |
                                bit(protocol_feature::kMtu) | bit(protocol_feature::kStatus));
    connection_->send(Request::SetOwner);
    std::uint64_t features = bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_NET_F_MRG_RXBUF) |
                             bit(kFeatureIndirect) | bit(kFeatureEventIndex) |
                             bit(kFeatureProtocolFeatures) | options_.more_features;
    if (options_.packed) features |= bit(kFeaturePacked);
    if (connection_->acknowledged(Request::SetFeatures, features) != 0) {
      throw std::runtime_error("the features are refused");
    }
    struct {
      MemoryTableHeader header{1, 0};
      MemoryRegion region;
    } table;
    table.region = {kGuestBase, memory_.size(), user_address(memory_.data()), 0};
    const int fd = memory_fd_.get();
    if (connection_->acknowledged(Request::SetMemTable, table, std::span(&fd, 1)) != 0) {
      throw std::runtime_error("the memory is refused");
    }
  }
  void enable() {
    for (std::uint16_t i = 0; i < queues(); ++i) {
      connection_->send_value(vhost_user::Request::SetVringEnable, vhost_user::VringState{i, 1});
    }
    // Until it hears so, DPDK's back end uses no queue.
    connection_->send_value(vhost_user::Request::SetStatus, std::uint64_t{kDriverIsReady});
    (void)connection_->get<std::uint64_t>(vhost_user::Request::GetFeatures);
  }
  void post(std::uint16_t queue) {
    const GuestRing::Buffer buffer{
        address(buffers(queue) + next_[queue]++ % options_.size * kBuffer), kBuffer, true};
    (void)rings_[queue].add(std::span(&buffer, 1));
  }
  void show(std::uint16_t queue) {
    const std::uint64_t one = 1;
    if (rings_[queue].publish()) (void)!::write(kicks_[queue].get(), &one, sizeof one);
  }
  bool wait(std::uint16_t queue, std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    rings_[queue].arm();
    pollfd ready{calls_[queue].get(), POLLIN, 0};
    // Rings are looked at once more after arming; so short.
    (void)::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 10)));
    std::uint64_t count = 0;
    (void)!::read(calls_[queue].get(), &count, sizeof count);
    return true;
  }

  Options options_;
  std::unique_ptr<VhostUserConnection> connection_;
  std::uint64_t offered_ = 0;
  std::uint64_t offered_protocol_ = 0;
  Fd memory_fd_;
  Mapping memory_;
  std::deque<GuestRing> rings_;
  std::vector<Fd> kicks_;
  std::vector<Fd> calls_;
  std::vector<std::size_t> next_;      // buffers ever put on each ring
  std::vector<std::size_t> received_;  // and taken from it
};

}  // namespace cede::test
