// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/guest/guest_capability.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cede::driver {

GuestCapability::GuestCapability(Fd stream, unsigned ports, FindEnds find_ends)
    : stream_(std::move(stream)), ports_(ports), find_ends_(std::move(find_ends)) {}

Result<Capability::Incoming> GuestCapability::receive() {
  if (!greeted_) stream_.send({.kind = VmPacket::Kind::Hello});
  greeted_ = true;
  stream_.flush();
  Result<VmPacket> packet = stream_.receive();
  for (; packet; packet = stream_.receive()) {
    if (packet->kind != VmPacket::Kind::Control) return Status::Broken;
    Message& message = packet->message;
    if (message.type == MessageType::Offer) {
      await(*packet);
      continue;
    }
    // A session's port is free when we have said Release and not before, even if the session is
    // over.
    if (message.type == MessageType::Closed) message.type = MessageType::Closing;
    if (message.type == MessageType::Closing && forget(message.subject)) continue;
    return Incoming{.message = message, .ends = nullptr};
  }
  if (packet.status() != Status::Busy) return packet.status();
  return next_arrival();
}

Instant GuestCapability::deadline() const noexcept {
  return awaited_.empty() && stream_.all_sent() ? kNever : look_again_;
}

void GuestCapability::send(const Message& message) {
  stream_.send({.kind = VmPacket::Kind::Control, .message = message});
}

void GuestCapability::await(const VmPacket& packet) {
  if (packet.port >= ports_) return answer(MessageType::Refuse, packet.message, Status::Invalid);
  awaited_.push_back(
      {.offer = packet.message, .port = packet.port, .give_up = monotonic_now() + kPatience});
}

bool GuestCapability::forget(Handle session) {
  const auto found = std::ranges::find_if(
      awaited_, [session](const Awaited& awaited) { return awaited.offer.subject == session; });
  if (found == awaited_.end()) return false;
  answer(MessageType::Release, found->offer, Status::Ok);
  awaited_.erase(found);
  return true;
}

Result<Capability::Incoming> GuestCapability::next_arrival() {
  const Instant now = monotonic_now();
  look_again_ = now + kLook;
  for (auto awaited = awaited_.begin(); awaited != awaited_.end();) {
    std::unique_ptr<SessionEnds> ends = find_ends_(awaited->port, stream_);
    const bool overdue = now >= awaited->give_up;
    if (ends == nullptr && !overdue) {
      ++awaited;
      continue;
    }
    const Message offer = awaited->offer;
    awaited = awaited_.erase(awaited);
    if (ends != nullptr) return Incoming{.message = offer, .ends = std::move(ends)};
    spdlog::warn("device {}: session of {} refused: its region has not come", offer.device,
                 offer.name.view());
    answer(MessageType::Refuse, offer, Status::TimedOut);
  }
  return Status::Busy;
}

void GuestCapability::answer(MessageType type, const Message& offer, Status status) {
  Message message;
  message.type = type;
  message.subject = offer.subject;
  message.status = status;
  send(message);
}

}  // namespace cede::driver
