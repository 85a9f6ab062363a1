// SPDX-License-Identifier: Apache-2.0
#include "frontend/device_connection.h"

#include <algorithm>

namespace cede::frontend {
namespace {

// Failures that the same grant and geometry would meet again for ever.
bool is_final(Status status) noexcept {
  switch (status) {
    case Status::Invalid:
    case Status::NotPermitted:
    case Status::Stale:
    case Status::Sealed:
    case Status::NotSupported:
      return true;
    default:
      return false;
  }
}

}  // namespace

void DeviceConnection::granted(Handle grant, const Name& device, TimePoint now) {
  if (!grant.valid() || !accepts(device)) return;
  if (name_.empty()) name_ = device.view();
  grant_ = grant;
  delay_ = kShortestDelay;
  if (state_ != State::NoGrant && state_ != State::Waiting) return;
  state_ = State::Waiting;
  retry_at_ = now;
}

DeviceConnection::Task DeviceConnection::receive(const Message& message, TimePoint now) noexcept {
  if (message.type == MessageType::Reply) return receive_reply(message, now);
  if (message.type == MessageType::Revoked) return revoked(message.subject);
  if (!session_.valid() || message.subject != session_) return Task::None;
  switch (message.type) {
    case MessageType::Offer:
      if (state_ != State::Requested || close_ != CloseRequest::No) return Task::None;
      return Task::MapOffer;
    case MessageType::Connected:
      if (state_ != State::Mapped) return Task::None;
      state_ = State::Connected;
      connected_at_ = now;
      return Task::HandOver;
    case MessageType::Closing:
      return receive_closing(message.status);
    case MessageType::Closed:
      return receive_closed(message.status, now);
    default:
      return Task::None;
  }
}

DeviceConnection::Task DeviceConnection::receive_reply(const Message& reply,
                                                       TimePoint now) noexcept {
  // Of all replies only a Connect's decides anything: the others' outcome comes as an event.
  if (state_ != State::Connecting || reply.tag != connect_tag_) return Task::None;
  if (reply.status == Status::Ok && reply.subject.valid()) {
    state_ = State::Requested;
    session_ = reply.subject;
    close_ = CloseRequest::No;
    closed_ = false;
    if (stopped_) end(Status::Ok);
    return Task::None;
  }
  failure_ = reply.status == Status::Ok ? Status::Broken : reply.status;
  if (is_final(failure_) && session_grant_ == grant_) grant_ = {};
  wait(now);
  return Task::TellFailed;
}

DeviceConnection::Task DeviceConnection::receive_closing(Status reason) noexcept {
  switch (state_) {
    case State::Requested:
    case State::Offered:
    case State::Mapped:
      failure_ = reason;
      state_ = State::Releasing;
      return Task::DropOffer;
    case State::Connected:
      failure_ = reason;
      state_ = State::Ending;
      return Task::TellEnding;
    default:
      return Task::None;
  }
}

DeviceConnection::Task DeviceConnection::receive_closed(Status reason, TimePoint now) noexcept {
  closed_ = true;
  switch (state_) {
    case State::Waiting:  // released before: the pages are home, so a connect may succeed now
      retry_at_ = std::min(retry_at_, now + delay_);
      return Task::None;
    case State::Releasing:
      wait(now);
      return Task::None;
    case State::Requested:
    case State::Offered:
    case State::Mapped:
      failure_ = reason;
      wait(now);
      return Task::DropOffer;
    default:
      return receive_closing(reason);
  }
}

DeviceConnection::Task DeviceConnection::revoked(Handle grant) noexcept {
  if (!grant.valid()) return Task::None;
  if (grant == grant_) {
    grant_ = {};
    if (state_ == State::Waiting) state_ = State::NoGrant;
  }
  // The driver is gone, or an ancestor took the device away: the session is over, whatever else the
  // broker has to say.
  return grant == session_grant_ && state_ == State::Connected ? receive_closing(Status::Gone)
                                                               : Task::None;
}

void DeviceConnection::mapped(bool done) noexcept {
  if (done) {
    state_ = State::Offered;
  } else {
    end(Status::IoError);
  }
}

void DeviceConnection::released(TimePoint now) noexcept {
  if (state_ != State::Ending) return;
  if (now - connected_at_ >= kSteady) delay_ = kShortestDelay;
  if (closed_) {
    wait(now);
  } else {
    state_ = State::Releasing;
  }
}

void DeviceConnection::end(Status why) noexcept {
  if (close_ != CloseRequest::No) return;
  close_ = CloseRequest::Wanted;
  close_reason_ = why;
}

void DeviceConnection::stop() noexcept {
  stopped_ = true;
  end(Status::Ok);
}

bool DeviceConnection::close_is_due() const noexcept {
  return close_ == CloseRequest::Wanted && state_ >= State::Requested && state_ <= State::Connected;
}

std::optional<Message> DeviceConnection::outgoing(TimePoint now) const noexcept {
  Message message;
  message.subject = session_;
  if (close_is_due()) {
    message.type = MessageType::Close;
    message.status = close_reason_;
  } else if (state_ == State::Offered && close_ == CloseRequest::No) {
    message.type = MessageType::Mapped;
  } else if (state_ == State::Releasing) {
    message.type = MessageType::Release;
  } else if (state_ == State::Waiting && !stopped_ && now >= retry_at_) {
    message.type = MessageType::Connect;
    message.subject = grant_;
    message.geometry = geometry_;
  } else {
    return std::nullopt;
  }
  return message;
}

void DeviceConnection::sent(MessageType type, std::uint32_t tag, TimePoint now) noexcept {
  switch (type) {
    case MessageType::Connect:
      state_ = State::Connecting;
      connect_tag_ = tag;
      session_grant_ = grant_;
      session_ = {};
      break;
    case MessageType::Mapped:
      state_ = State::Mapped;
      break;
    case MessageType::Close:
      close_ = CloseRequest::Sent;
      break;
    case MessageType::Release:
      wait(now);
      retry_at_ = std::max(retry_at_, now + kReturnWait);
      break;
    default:
      break;
  }
}

std::optional<DeviceConnection::TimePoint> DeviceConnection::deadline() const noexcept {
  if (state_ == State::Waiting && !stopped_) return retry_at_;
  if (outgoing(TimePoint::min())) return TimePoint{};
  return std::nullopt;
}

void DeviceConnection::wait(TimePoint now) noexcept {
  state_ = grant_.valid() ? State::Waiting : State::NoGrant;
  retry_at_ = now + delay_;
  delay_ = std::min(2 * delay_, kLongestDelay);
}

}  // namespace cede::frontend
