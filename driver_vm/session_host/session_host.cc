// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/session_host/session_host.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cede::driver {

SessionHost::SessionHost(Capability& capability, EventLoop& loop, DeviceService& service,
                         StatsPage& stats)
    : capability_(capability), loop_(loop), service_(service), stats_(stats) {
  tenants_.reserve(kMaxSessions);
}

SessionHost::~SessionHost() = default;

void SessionHost::start() {
  loop_.watch(capability_.fd(), *this);
  message_waiting_ = true;  // whatever came before the poll
}

void SessionHost::complete(std::int32_t /*result*/, bool more) {
  message_waiting_ = true;
  if (!more && !broker_gone_) loop_.watch(capability_.fd(), *this);
}

void SessionHost::turn(Instant now) {
  if (message_waiting_ || now >= capability_.deadline()) receive();
  bool closing = false;
  for (Tenant& tenant : tenants_) {
    HostedSession& session = *tenant.session;
    if (!tenant.closing && !session.rejected().empty()) {
      spdlog::warn("device {}: session of {} closed: {}", session.device(), session.peer(),
                   session.rejected());
      add(session.stats().rejected);
      send(MessageType::Close, session.handle(), Status::Broken);
      begin_closing(tenant);
    }
    if (!tenant.closing) session.guard_kicks(now);
    closing = closing || tenant.closing;
  }
  if (closing) let_go_of_drained();
}

Instant SessionHost::deadline() const noexcept {
  Instant first = broker_gone_ ? kNever : capability_.deadline();
  for (const Tenant& tenant : tenants_) {
    const bool due = !tenant.closing && !tenant.session->rejected().empty();
    first = std::min(first, due ? Instant{0} : tenant.session->deadline());
  }
  return first;
}

void SessionHost::shut_down() {
  shutting_down_ = true;
  for (Tenant& tenant : tenants_) {
    if (tenant.closing) continue;
    send(MessageType::Close, tenant.session->handle(), Status::Gone);
    begin_closing(tenant);
  }
}

bool SessionHost::finished() const noexcept {
  return (broker_gone_ || (shutting_down_ && capability_.all_sent())) && tenants_.empty();
}

void SessionHost::receive() {
  message_waiting_ = false;
  while (!broker_gone_) {
    Result<Capability::Incoming> incoming = capability_.receive();
    if (incoming) {
      handle(*std::move(incoming));
      continue;
    }
    if (incoming.status() == Status::Busy) return;
    if (incoming.status() != Status::Gone) {
      spdlog::error("capability: {}", to_string(incoming.status()));
    }
    broker_gone_ = true;
    shut_down();
  }
}

void SessionHost::handle(Capability::Incoming incoming) {
  const Message& message = incoming.message;
  if (message.type == MessageType::Offer) {
    offered(std::move(incoming));
    return;
  }
  if (message.type == MessageType::Reply) {
    // A request of ours that came too late is no news: the event that overtook it tells the rest.
    if (message.status != Status::Ok) {
      spdlog::debug("the broker answered: {}", to_string(message.status));
    }
    return;
  }
  Tenant* tenant = find(message.subject);
  if (tenant == nullptr) {
    // Closed before the broker heard that it was refused: a refusal comes too late then.
    const bool refused = std::erase(refused_, message.subject) != 0;
    if (refused && message.type == MessageType::Closing) {
      send(MessageType::Release, message.subject);
    }
    return;
  }
  switch (message.type) {
    case MessageType::Connected:
      if (!tenant->closing) connected(*tenant);
      break;
    case MessageType::Closing:
      spdlog::info("device {}: session of {} closes: {}", tenant->session->device(),
                   tenant->session->peer(), to_string(message.status));
      begin_closing(*tenant);
      break;
    case MessageType::Closed:
      tenant->release_owed = false;
      begin_closing(*tenant);
      let_go_of_drained();  // the next message may offer the same volume anew
      break;
    default:
      break;
  }
}

void SessionHost::offered(Capability::Incoming incoming) {
  const Handle session = incoming.message.subject;
  const std::uint32_t device = incoming.message.device;
  const Name peer = incoming.message.name;
  DeviceInfo info;
  const Status status = admit(std::move(incoming), info);
  if (status == Status::Ok) {
    send(MessageType::Mapped, session, Status::Ok, info);
    return;
  }
  spdlog::warn("device {}: session of {} refused: {}{}", device, peer.view(), to_string(status),
               status == Status::NoMemory ? " (raise RLIMIT_MEMLOCK)" : "");
  send(MessageType::Refuse, session, status);
  if (refused_.size() == kMaxSessions) refused_.pop_front();
  refused_.push_back(session);
}

Status SessionHost::admit(Capability::Incoming incoming, DeviceInfo& info) {
  const std::uint32_t device = incoming.message.device;
  if (shutting_down_) return Status::Gone;
  if (tenants_.size() == kMaxSessions) return Status::Full;
  if (device >= stats_.size()) return Status::Invalid;
  Result<std::unique_ptr<HostedSession>> session =
      HostedSession::make(std::move(incoming), loop_, stats_[device]);
  if (!session) return session.status();
  Result<std::unique_ptr<DeviceSession>> accepted = service_.accept(**session, info);
  if (!accepted) return accepted.status();
  tenants_.push_back({.session = *std::move(session), .device = *std::move(accepted)});
  return Status::Ok;
}

void SessionHost::connected(Tenant& tenant) {
  HostedSession& session = *tenant.session;
  spdlog::info("device {}: session of {} connected, {} pages", session.device(), session.peer(),
               session.geometry().pages);
  add(session.stats().sessions);
  session.watch_kicks();
  tenant.device->start();
}

void SessionHost::begin_closing(Tenant& tenant) {
  if (tenant.closing) return;
  tenant.closing = true;
  tenant.session->ignore_kicks();
  tenant.device->stop();
}

void SessionHost::let_go_of_drained() {
  std::erase_if(tenants_, [this](Tenant& tenant) {
    if (!tenant.closing || !tenant.device->drained() || !tenant.session->released_by_kernel()) {
      return false;
    }
    const Handle handle = tenant.session->handle();
    tenant.device.reset();
    tenant.session.reset();  // unpins and unmaps: now the word can be given
    if (tenant.release_owed) send(MessageType::Release, handle);
    return true;
  });
}

SessionHost::Tenant* SessionHost::find(Handle session) noexcept {
  const auto found =
      std::find_if(tenants_.begin(), tenants_.end(),
                   [session](const Tenant& tenant) { return tenant.session->handle() == session; });
  return found == tenants_.end() ? nullptr : &*found;
}

void SessionHost::send(MessageType type, Handle session, Status status, const DeviceInfo& info) {
  if (broker_gone_) return;
  Message message;
  message.type = type;
  message.subject = session;
  message.status = status;
  message.info = info;
  capability_.send(message);
}

}  // namespace cede::driver
