// SPDX-License-Identifier: Apache-2.0
#include "frontend/session_client.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

namespace cede::frontend {
namespace {

constexpr std::size_t kOfferFds = 3;     // protocols/control.h, Doorbells
constexpr int kMessagesPerService = 64;  // then the caller's other descriptors get their turn
constexpr auto kResendDelay = std::chrono::milliseconds(5);

Result<Session> open_offer(ControlLink::Incoming& offer, const Geometry& expected,
                           bool keep_region_fd) {
  if (offer.fd_count != kOfferFds || offer.message.geometry != expected) return Status::Broken;
  Fd region = std::move(offer.fds[0]);
  Result<Mapping> mapping = Mapping::map(region.get(), expected.bytes());
  if (!mapping) return mapping.status();
  // The pages exist already; this only spares the first operations their page faults.
  ::madvise(mapping->data(), mapping->size(), MADV_POPULATE_WRITE);
  return Session{offer.message.subject,
                 expected,
                 {},
                 *std::move(mapping),
                 KickRinger(std::move(offer.fds[1])),
                 CallWaiter(std::move(offer.fds[2])),
                 keep_region_fd ? std::move(region) : Fd()};
}

}  // namespace

SessionClient::SessionClient(Fd capability, const std::vector<DeviceConfig>& devices,
                             SessionObserver& observer)
    : link_(std::move(capability)), observer_(observer) {
  devices_.reserve(devices.size());
  for (const DeviceConfig& config : devices) {
    devices_.push_back(
        {DeviceConnection(config.name, config.geometry), config.keep_region_fd, std::nullopt});
  }
}

std::optional<SessionClient::TimePoint> SessionClient::next_deadline() const noexcept {
  if (resend_at_) return resend_at_;
  std::optional<TimePoint> next;
  for (const Device& device : devices_) {
    const std::optional<TimePoint> own = device.connection.deadline();
    if (own && (!next || *own < *next)) next = own;
  }
  return next;
}

Status SessionClient::service(TimePoint now) {
  for (int i = 0; i < kMessagesPerService; ++i) {
    Result<ControlLink::Incoming> incoming = link_.receive();
    if (incoming.status() == Status::Busy) break;
    if (!incoming) return incoming.status();
    receive(*std::move(incoming), now);
  }
  return send_due(now);
}

void SessionClient::receive(ControlLink::Incoming incoming, TimePoint now) {
  const Message& message = incoming.message;
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    DeviceConnection& connection = devices_[i].connection;
    if (message.type == MessageType::Granted) {
      if (!connection.accepts(message.name)) continue;
      connection.granted(message.subject, message.name, now);
      return;
    }
    switch (connection.receive(message, now)) {
      case DeviceConnection::Task::None:
        break;
      case DeviceConnection::Task::MapOffer:
        map_offer(i, incoming);
        break;
      case DeviceConnection::Task::HandOver: {
        Session session = *std::exchange(devices_[i].offered, std::nullopt);
        session.info = message.info;
        observer_.connected(i, std::move(session));
        break;
      }
      case DeviceConnection::Task::DropOffer:
        devices_[i].offered.reset();
        observer_.failed(i, connection.failure());
        break;
      case DeviceConnection::Task::TellEnding:
        observer_.ending(i, connection.failure());
        break;
      case DeviceConnection::Task::TellFailed:
        observer_.failed(i, connection.failure());
        break;
    }
  }
}

void SessionClient::map_offer(std::size_t index, ControlLink::Incoming& offer) {
  Device& device = devices_[index];
  Result<Session> session = open_offer(offer, device.connection.geometry(), device.keep_region_fd);
  device.connection.mapped(static_cast<bool>(session));
  if (session) {
    device.offered = *std::move(session);
  } else {
    observer_.failed(index, session.status());
  }
}

// A full socket is tried again a little later: every message due is a state, not a queue.
Status SessionClient::send_due(TimePoint now) {
  resend_at_.reset();
  for (Device& device : devices_) {
    while (const std::optional<Message> message = device.connection.outgoing(now)) {
      const Result<std::uint32_t> tag = link_.send(*message);
      if (tag.status() == Status::Busy) {
        resend_at_ = now + kResendDelay;
        return Status::Ok;
      }
      if (!tag) return tag.status();
      device.connection.sent(message->type, *tag, now);
    }
  }
  return Status::Ok;
}

void SessionClient::released(std::size_t device, TimePoint now) noexcept {
  devices_[device].connection.released(now);
}
void SessionClient::end(std::size_t device, Status why) noexcept {
  devices_[device].connection.end(why);
}
void SessionClient::stop() noexcept {
  for (Device& device : devices_) device.connection.stop();
}
bool SessionClient::idle() const noexcept {
  return std::all_of(devices_.begin(), devices_.end(),
                     [](const Device& device) { return device.connection.idle(); });
}
std::string_view SessionClient::name(std::size_t device) const noexcept {
  return devices_[device].connection.name();
}

}  // namespace cede::frontend
