// SPDX-License-Identifier: Apache-2.0
#include "vmm/qemu/shim/session_table.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

namespace cede::qemu {
namespace {

constexpr std::size_t kOfferFds = 3;

Status refusal_of(Status said) {
  return said == Status::Ok || said > Status::Broken ? Status::Refused : said;
}

// QEMU's words go to a log: nothing in them may act on a terminal.
std::string printable(std::string_view text) {
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return safe;
}

}  // namespace

SessionTable::SessionTable(unsigned ports, SessionActions& actions)
    : actions_(actions), sessions_(ports) {}

// ---- The broker

void SessionTable::from_broker(ControlLink::Incoming incoming) {
  const Message& message = incoming.message;
  switch (message.type) {
    case MessageType::Offer:
      offered(std::move(incoming));
      break;
    case MessageType::Connected:
      if (Session* session = find(message.subject); session != nullptr) {
        if (session->known_to_guest()) actions_.tell_guest(port_of(*session), message);
      }
      break;
    case MessageType::Closing:
      closing(message);
      break;
    case MessageType::Closed:
      closed(message);
      break;
    case MessageType::Reply:
      // What came too late is no news: the event that overtook it tells the rest.
      if (message.status != Status::Ok) {
        spdlog::debug("the broker answered: {}", to_string(message.status));
      }
      break;
    default:
      break;
  }
}

void SessionTable::offered(ControlLink::Incoming incoming) {
  const Message offer = incoming.message;
  const Status status = admit(incoming);
  if (status == Status::Ok) return;
  spdlog::warn("device {}: session of {} refused: {}", offer.device, offer.name.view(),
               to_string(status));
  say(MessageType::Refuse, offer.subject, status);
}

Status SessionTable::admit(ControlLink::Incoming& incoming) {
  if (incoming.fd_count != kOfferFds) return Status::Invalid;
  if (!greeted_) return Status::WrongState;
  const auto free = std::find_if(sessions_.begin(), sessions_.end(), [](const Session& session) {
    return session.state == Session::State::Free;
  });
  if (free == sessions_.end()) return Status::Full;
  const Status status = actions_.plug(port_of(*free), incoming.fds[0]);
  if (status != Status::Ok) return status;
  *free = {.state = Session::State::Plugging,
           .offer = incoming.message,
           .kick = std::move(incoming.fds[1]),
           .call = std::move(incoming.fds[2])};
  return Status::Ok;
}

void SessionTable::closing(const Message& message) {
  Session* session = find(message.subject);
  if (session == nullptr) {
    // Our Refuse came too late to be heard as one.
    say(MessageType::Release, message.subject);
    return;
  }
  session->closing = true;
  if (session->known_to_guest()) actions_.tell_guest(port_of(*session), message);
}

void SessionTable::closed(const Message& message) {
  Session* session = find(message.subject);
  if (session == nullptr) return;
  session->closing = true;
  session->closed = true;
  if (session->known_to_guest()) actions_.tell_guest(port_of(*session), message);
}

// ---- The guest

Status SessionTable::from_guest(const VmPacket& packet) {
  if (makes_sense(packet)) return Status::Ok;
  if (nonsense_++ == 0) {
    spdlog::warn("the guest says what it may not say (kind {}, type {}): dropped, as what follows",
                 static_cast<unsigned>(packet.kind), static_cast<unsigned>(packet.message.type));
  }
  return nonsense_ > kToleratedNonsense ? Status::Broken : Status::Ok;
}

bool SessionTable::makes_sense(const VmPacket& packet) {
  switch (packet.kind) {
    case VmPacket::Kind::Hello:
      if (std::exchange(greeted_, true)) return false;
      actions_.guest_is_ready();
      return true;
    case VmPacket::Kind::Control:
      return heard(packet.message);
    case VmPacket::Kind::HoldKicks:
      return hold_kicks(packet);
  }
  return false;
}

bool SessionTable::heard(const Message& message) {
  Session* session = find(message.subject);
  if (session == nullptr || !session->known_to_guest()) return false;
  switch (message.type) {
    case MessageType::Mapped:
      if (session->state != Session::State::Offered) return false;
      session->state = Session::State::Mapped;
      if (!session->closing) say(message.type, message.subject, Status::Ok, message.info);
      return true;
    case MessageType::Close:
      if (std::exchange(session->close_said, true)) return false;
      if (!session->closing) say(message.type, message.subject, message.status);
      return true;
    case MessageType::Refuse:
      if (session->state != Session::State::Offered) return false;
      session->refusal = refusal_of(message.status);
      let_go(*session);
      return true;
    case MessageType::Release:
      let_go(*session);
      return true;
    default:
      return false;
  }
}

bool SessionTable::hold_kicks(const VmPacket& packet) {
  if (packet.port >= sessions_.size()) return false;
  if (!sessions_[packet.port].known_to_guest()) return false;
  const std::chrono::microseconds asked(packet.microseconds);
  actions_.hold_kicks(packet.port, std::min(asked, kLongestHold));
  return true;
}

// ---- QEMU

void SessionTable::plugged(unsigned port, Status status, std::string_view problem) {
  Session& session = sessions_[port];
  if (session.state != Session::State::Plugging) return;
  if (status == Status::TimedOut) {
    spdlog::warn("port {}: QEMU does not plug the region in", port);
    return;
  }
  if (status != Status::Ok) {
    spdlog::warn("port {}: QEMU refuses the region: {}", port, printable(problem));
    session.refusal = status;
    end(session);
    return;
  }
  if (session.closing) {
    let_go(session);
    return;
  }
  session.refusal = actions_.open_bells(port, std::move(session.kick), std::move(session.call));
  if (session.refusal != Status::Ok) {
    spdlog::warn("port {}: no bells for a session: {}", port, to_string(session.refusal));
    let_go(session);
    return;
  }
  session.state = Session::State::Offered;
  nonsense_ -= std::min(nonsense_, kForgivenPerSession);
  actions_.tell_guest(port, session.offer);
}

void SessionTable::unplugged(unsigned port, Status status, std::string_view problem) {
  Session& session = sessions_[port];
  if (status == Status::TimedOut) {
    spdlog::warn("port {}: the guest does not let the region go: {}", port,
                 problem.empty() ? "it does not answer" : printable(problem));
    if (session.state == Session::State::Unplugging) actions_.unplug(port);
    return;
  }
  if (session.known_to_guest()) {
    spdlog::warn("port {}: the guest gave the region up unasked", port);
    actions_.close_bells(port);
    Message message;
    message.type = MessageType::Closed;
    message.status = Status::Gone;
    message.subject = session.offer.subject;
    actions_.tell_guest(port, message);
  }
  end(session);
}

// ---- The end of a session

void SessionTable::let_go(Session& session) {
  session.state = Session::State::Unplugging;
  actions_.close_bells(port_of(session));
  actions_.unplug(port_of(session));
}

void SessionTable::end(Session& session) {
  const Session ended = std::exchange(session, {});
  if (ended.closed) return;
  // A Refuse is not heard any more once the session closes.
  const bool refused = ended.refusal != Status::Ok && !ended.closing;
  say(refused ? MessageType::Refuse : MessageType::Release, ended.offer.subject, ended.refusal);
}

void SessionTable::say(MessageType type, Handle session, Status status, const DeviceInfo& info) {
  Message message;
  message.type = type;
  message.subject = session;
  message.status = status;
  message.info = info;
  actions_.tell_broker(message);
}

SessionTable::Session* SessionTable::find(Handle handle) noexcept {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const Session& session) {
    return session.state != Session::State::Free && session.offer.subject == handle;
  });
  return found == sessions_.end() ? nullptr : &*found;
}

}  // namespace cede::qemu
