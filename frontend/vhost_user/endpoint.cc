// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/endpoint.h"

#include <spdlog/spdlog.h>

#include <cstring>
#include <utility>

#include "protocols/posix/channel.h"

namespace cede::vhost_user {

namespace {

// That every device has.
constexpr std::uint64_t kProtocolFeatures = bit(protocol_feature::kMultiQueue) |
                                            bit(protocol_feature::kReplyAck) |
                                            bit(protocol_feature::kConfigureMemSlots);

// A front-end that never stops talking must not keep the queues waiting.
constexpr int kMessagesAtATime = 32;

bool has_own_reply(Request request) noexcept {
  switch (request) {
    case Request::GetFeatures:
    case Request::GetProtocolFeatures:
    case Request::GetQueueNum:
    case Request::GetMaxMemSlots:
    case Request::GetVringBase:
    case Request::GetConfig:
    case Request::GetInflightFd:
    case Request::GetStatus:
      return true;
    default:
      return false;
  }
}

}  // namespace

Endpoint::Endpoint(VirtioDevice& device, frontend::EventLoop& loop, Fd socket)
    : device_(device), loop_(loop), socket_(std::move(socket)), vrings_(device.queues()) {
  if ((device_.protocol_features() & bit(protocol_feature::kInflightShmfd)) != 0) {
    Fd file;
    Result<InflightRegion> record = InflightRegion::create(device.queues(), kMaxQueueSize, file);
    closed_ = !record;
    if (record) record_ = std::move(*record);
  }
  if (closed_) {
    spdlog::error("{}: no memory for the in-flight record", device_.name());
  } else {
    listen();
  }
}

Endpoint::~Endpoint() {
  for (std::uint16_t i = 0; i < device_.queues(); ++i) {
    stop_vring(i);
    device_.queue(i).set_call({});
    device_.queue(i).set_error({});
  }
  device_.memory().clear();
}

void Endpoint::listen() {
  auto watch =
      loop_.watch(socket_.get(), frontend::EventLoop::Trigger::Level, [this] { read_messages(); });
  closed_ = !watch;
  if (watch) readable_ = std::move(*watch);
}

void Endpoint::read_messages() {
  for (int i = 0; i < kMessagesAtATime && !stopping_ && !closed_; ++i) {
    Status status = reader_.read(socket_.get(), message_);
    if (status == Status::Busy) return;
    if (status == Status::Ok) status = handle(message_);
    if (status == Status::Ok) continue;
    if (status != Status::Gone) {
      spdlog::warn("{}: the front-end's connection is closed: {} (request {})", device_.name(),
                   to_string(status), static_cast<std::uint32_t>(message_.header.request));
    }
    closed_ = true;
  }
}

Status Endpoint::handle(Message& message) {
  const Request request = message.header.request;
  spdlog::debug("{}: request {}", device_.name(), static_cast<std::uint32_t>(request));
  Status status = Status::Ok;
  switch (request) {
    case Request::GetFeatures:
      return reply(request, device_.features());
    case Request::GetProtocolFeatures:
      return reply(request, kProtocolFeatures | device_.protocol_features());
    case Request::GetQueueNum:
      return reply(request, std::uint64_t{device_.queue_limit()});
    case Request::GetMaxMemSlots:
      return reply(request, std::uint64_t{GuestMemory::kMaxRegions});
    case Request::GetVringBase:
      return stop(message);
    case Request::GetConfig:
      return send_config(message);
    case Request::GetInflightFd:
      return make_inflight(message);
    case Request::GetStatus:
      return reply(request, std::uint64_t{status_});
    case Request::SetFeatures:
      status = set_features(message.as<std::uint64_t>());
      break;
    case Request::SetProtocolFeatures:
      protocol_features_ =
          message.as<std::uint64_t>() & (kProtocolFeatures | device_.protocol_features());
      break;
    case Request::SetOwner:
    case Request::ResetOwner:
      break;
    case Request::SetMemTable:
      status = set_memory_table(message);
      break;
    case Request::AddMemReg:
    case Request::RemMemReg:
      status = change_memory(message);
      break;
    case Request::SetVringNum:
    case Request::SetVringBase:
    case Request::SetVringEnable:
      status = set_vring(message);
      break;
    case Request::SetVringAddr:
      status = set_vring_address(message.as<VringAddress>());
      break;
    case Request::SetVringKick:
    case Request::SetVringCall:
    case Request::SetVringErr:
      status = set_vring_fd(message);
      break;
    case Request::SetInflightFd:
      status = take_inflight(message);
      break;
    case Request::SetStatus:
      status = set_status(message.as<std::uint64_t>());
      break;
    case Request::SetMtu:
      status = device_.set_mtu(message.as<std::uint64_t>());
      break;
    default:
      status = Status::NotSupported;
  }
  if (status != Status::Ok) {
    spdlog::warn("{}: the front-end's request {} is refused: {}", device_.name(),
                 static_cast<std::uint32_t>(request), to_string(status));
  }
  if (agreed(protocol_feature::kReplyAck) && message.needs_reply() && !has_own_reply(request)) {
    return reply(request, std::uint64_t{status == Status::Ok ? 0U : 1U});
  }
  return Status::Ok;
}

Status Endpoint::set_features(std::uint64_t features) {
  if ((features & ~device_.features()) != 0) return Status::Invalid;
  features_ = features;
  device_.accept(features);
  // Without the protocol features there is no SET_VRING_ENABLE ("Starting and stopping rings").
  if ((features & bit(kFeatureProtocolFeatures)) == 0) {
    for (Ring& vring : vrings_) vring.enabled = true;
  }
  return Status::Ok;
}

Status Endpoint::set_status(std::uint64_t status) noexcept {
  if (status > UINT8_MAX) return Status::Invalid;
  status_ = static_cast<std::uint8_t>(status);
  // A reset; front-ends stop each queue before they say so.
  if (status == 0) {
    for (std::uint16_t i = 0; i < device_.queues(); ++i) stop_vring(i);
  }
  return Status::Ok;
}

Status Endpoint::set_memory_table(Message& message) {
  const auto header = message.as<MemoryTableHeader>();
  if (header.regions > kMaxTableRegions || header.regions != message.fd_count ||
      message.header.size < sizeof header + header.regions * sizeof(MemoryRegion)) {
    return Status::Invalid;
  }
  device_.memory().clear();
  Status status = Status::Ok;
  for (std::size_t i = 0; i < header.regions && status == Status::Ok; ++i) {
    MemoryRegion region;
    std::memcpy(&region, &message.payload[sizeof header + i * sizeof region], sizeof region);
    status = device_.memory().add(region, message.fds[i]);
  }
  device_.rebind();
  return status;
}

Status Endpoint::change_memory(Message& message) {
  const MemoryRegion region = message.as<SingleRegion>().region;
  Status status = Status::Invalid;
  if (message.header.request == Request::RemMemReg) {
    device_.memory().remove(region);
    status = Status::Ok;
  } else if (message.fd_count == 1) {
    status = device_.memory().add(region, message.fds[0]);
  }
  device_.rebind();
  return status;
}

Status Endpoint::set_vring(const Message& message) {
  const auto state = message.as<VringState>();
  if (state.index >= vrings_.size()) return Status::Invalid;
  Ring& vring = vrings_[state.index];
  if (message.header.request == Request::SetVringEnable) {
    vring.enabled = state.number != 0;
    device_.queue(static_cast<std::uint16_t>(state.index)).enable(vring.enabled);
    return Status::Ok;
  }
  if (message.header.request == Request::SetVringNum) {
    vring.setup.size = state.number;
  } else {
    if (state.number > UINT16_MAX && (features_ & bit(kFeaturePacked)) == 0) return Status::Invalid;
    vring.base = state.number;
  }
  return Status::Ok;
}

Status Endpoint::set_vring_address(const VringAddress& address) {
  if (address.index >= vrings_.size()) return Status::Invalid;
  QueueSetup& setup = vrings_[address.index].setup;
  setup.descriptors = address.descriptors;
  setup.available = address.available;
  setup.used = address.used;
  return Status::Ok;
}

Status Endpoint::set_vring_fd(Message& message) {
  const auto value = message.as<VringFd>().value;
  const auto index = static_cast<std::uint16_t>(value & VringFd::kIndexMask);
  const bool with_fd = (value & VringFd::kNoFd) == 0;
  if (index >= vrings_.size() || message.fd_count != (with_fd ? 1U : 0U)) return Status::Invalid;
  Fd fd = with_fd ? std::move(message.fds[0]) : Fd();
  switch (message.header.request) {
    case Request::SetVringCall:
      device_.queue(index).set_call(std::move(fd));
      return Status::Ok;
    case Request::SetVringErr:
      device_.queue(index).set_error(std::move(fd));
      return Status::Ok;
    default:
      // A queue that is polled instead of kicked would keep a core busy for ever.
      return with_fd ? start(index, std::move(fd)) : Status::NotSupported;
  }
}

Status Endpoint::start(std::uint16_t index, Fd kick) {
  // The VMM holds the same eventfd: reading it could block us, so its edges are enough.
  auto watch = loop_.watch(kick.get(), frontend::EventLoop::Trigger::Edge, [] {});
  if (!watch) return watch.status();
  Ring& vring = vrings_[index];
  if (!device_.queue(index).running()) {
    stop_vring(index);
    vring.setup.event_index = (features_ & bit(kFeatureEventIndex)) != 0;
    vring.setup.indirect = (features_ & bit(kFeatureIndirect)) != 0;
    vring.setup.packed = (features_ & bit(kFeaturePacked)) != 0;
    const Status status =
        device_.start_queue(index, vring.setup, vring.base, record_.queue(index), record_outlives_);
    if (status != Status::Ok) return status;
    device_.queue(index).enable(vring.enabled);
    drain_in_vain_ = false;
  }
  vring.kicked = std::move(*watch);
  vring.kick = std::move(kick);
  return Status::Ok;
}

Status Endpoint::stop(const Message& message) {
  const auto state = message.as<VringState>();
  if (state.index >= vrings_.size()) return Status::Broken;
  const auto index = static_cast<std::uint16_t>(state.index);
  device_.queue(index).enable(false);
  if (!device_.draining(index) || drain_in_vain_) return reply_stopped(index);
  stopping_ = Stopping{index, std::chrono::steady_clock::now() + kDrainTime};
  readable_.reset();
  return Status::Ok;
}

void Endpoint::tick(TimePoint now) {
  if (!stopping_) return;
  const std::uint16_t index = stopping_->queue;
  const bool drained = !device_.draining(index);
  if (!drained && now < stopping_->until) return;
  drain_in_vain_ = !drained;
  if (!drained) {
    spdlog::warn("{}: queue {} is stopped with requests that the driver has not answered",
                 device_.name(), index);
  }
  stopping_.reset();
  if (reply_stopped(index) == Status::Ok) {
    listen();
  } else {
    closed_ = true;
  }
}

std::optional<Endpoint::TimePoint> Endpoint::deadline() const noexcept {
  if (!stopping_) return std::nullopt;
  return stopping_->until;
}

void Endpoint::stop_vring(std::uint16_t index) noexcept {
  Ring& vring = vrings_[index];
  vring.kicked.reset();
  vring.kick.reset();
  if (device_.queue(index).stopped()) return;
  vring.base = device_.stop_queue(index);
  vring.setup.base_known = true;
}

Status Endpoint::reply_stopped(std::uint16_t index) {
  stop_vring(index);
  return reply(Request::GetVringBase, VringState{index, vrings_[index].base});
}

Status Endpoint::send_config(const Message& message) {
  const auto wanted = message.as<ConfigHeader>();
  if (wanted.offset > kMaxConfigBytes || wanted.size > kMaxConfigBytes - wanted.offset) {
    return reply_bytes(Request::GetConfig, {});  // "zero length: an error"
  }
  const VirtioDevice::ConfigSpace space = device_.config();
  std::array<std::byte, sizeof wanted + kMaxConfigBytes> payload;
  std::memcpy(payload.data(), &wanted, sizeof wanted);
  std::memcpy(payload.data() + sizeof wanted, space.data() + wanted.offset, wanted.size);
  return reply_bytes(Request::GetConfig, std::span(payload).first(sizeof wanted + wanted.size));
}

Status Endpoint::make_inflight(const Message& message) {
  const auto wanted = message.as<InflightDescription>();
  InflightDescription made{};
  Fd file;
  if (wanted.queues <= vrings_.size()) {
    const auto region = InflightRegion::create(wanted.queues, wanted.queue_size, file);
    if (region) made = region->description();
  }
  // An empty description says that there is none.
  return reply_bytes(Request::GetInflightFd,
                     std::as_bytes(std::span(&made, 1)).first(message.header.size), file.get());
}

Status Endpoint::take_inflight(Message& message) {
  if (message.fd_count != 1) return Status::Invalid;
  for (std::uint16_t i = 0; i < device_.queues(); ++i) {
    if (device_.queue(i).running()) return Status::WrongState;
  }
  Result<InflightRegion> region =
      InflightRegion::adopt(message.as<InflightDescription>(), message.fds[0], device_.queues());
  if (!region) return region.status();
  record_ = std::move(*region);
  record_outlives_ = true;
  return Status::Ok;
}

template <class T>
Status Endpoint::reply(Request request, const T& payload) {
  return reply_bytes(request, std::as_bytes(std::span(&payload, 1)));
}

Status Endpoint::reply_bytes(Request request, std::span<const std::byte> payload, int fd) {
  const Header header{request, Header::kVersion | Header::kReply,
                      static_cast<std::uint32_t>(payload.size())};
  std::array<std::byte, sizeof header + kMaxPayload> packet;
  std::memcpy(packet.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(packet.data() + sizeof header, payload.data(), payload.size());
  const auto fds = fd >= 0 ? std::span(&fd, 1) : std::span<int>();
  // A front-end that lets our answers pile up until the socket is full is not waiting for them.
  return send_packet(socket_.get(), std::span(packet).first(sizeof header + payload.size()), fds);
}

}  // namespace cede::vhost_user
