// SPDX-License-Identifier: Apache-2.0
// The ends of a real broker's capability sockets, and sessions between them, as a test plays them.
//
// Everything is synchronous; what cannot be had within kPatience throws std::runtime_error.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "protocols/control.h"
#include "protocols/posix/control_link.h"
#include "protocols/posix/mapping.h"
#include "tests/support/eventually.h"
#include "tests/support/session_parts.h"

namespace cede::test {

// How long a test waits before it calls something stuck: no expectation of speed.
inline constexpr std::chrono::seconds kPatience{20};

// A domain: its end of the capability socket, and what the broker said that nobody has asked for
// yet.
class Domain {
 public:
  using Incoming = ControlLink::Incoming;

  Domain(Handle handle, Fd socket) : handle_(handle), link_(std::move(socket)) {}

  [[nodiscard]] Handle handle() const { return handle_; }
  [[nodiscard]] int fd() const { return link_.fd(); }
  [[nodiscard]] ControlLink& link() { return link_; }

  // The Reply to `request`; events that come before it are kept for await().
  [[nodiscard]] Incoming request(const Message& request) {
    const Result<std::uint32_t> tag = link_.send(request);
    if (!tag) throw std::runtime_error("the broker's socket takes no request");
    return take([&tag](const Message& message) {
      return message.type == MessageType::Reply && message.tag == *tag;
    });
  }
  [[nodiscard]] Incoming request(MessageType type, Handle subject = {}) {
    Message message;
    message.type = type;
    message.subject = subject;
    return request(message);
  }
  [[nodiscard]] Status status_of(MessageType type, Handle subject = {}) {
    return request(type, subject).message.status;
  }

  // The first event of this type (and about this subject, if one is given), now or later.
  [[nodiscard]] Incoming await(MessageType type, Handle subject = {}) {
    return take([type, subject](const Message& message) {
      return message.type == type && (!subject.valid() || message.subject == subject);
    });
  }
  // Is such an event there already? Everything that the broker sent so far is looked at.
  [[nodiscard]] bool has(MessageType type) {
    while (receive(0)) {
    }
    for (const Incoming& incoming : kept_) {
      if (incoming.message.type == type) return true;
    }
    return false;
  }
  // True once the broker has closed the socket.
  [[nodiscard]] bool closed() {
    return eventually([this] {
      while (receive(0)) {
      }
      return gone_;
    });
  }

  [[nodiscard]] Domain create_child(std::uint32_t pages, std::string_view name) {
    Message message;
    message.type = MessageType::CreateDomain;
    message.pages = pages;
    message.name = Name(name);
    Incoming reply = request(message);
    if (reply.message.status != Status::Ok || reply.fd_count != 1) {
      throw std::runtime_error("no child domain: " + std::string(to_string(reply.message.status)));
    }
    return {reply.message.subject, std::move(reply.fds[0])};
  }
  [[nodiscard]] Handle grant(const Domain& client, const Domain& driver, std::uint32_t device,
                             std::string_view name) {
    Message message;
    message.type = MessageType::GrantDevice;
    message.subject = client.handle();
    message.object = driver.handle();
    message.device = device;
    message.name = Name(name);
    const Incoming reply = request(message);
    if (reply.message.status != Status::Ok) {
      throw std::runtime_error("no grant: " + std::string(to_string(reply.message.status)));
    }
    return reply.message.subject;
  }
  [[nodiscard]] Result<Handle> connect(Handle grant, const Geometry& geometry) {
    Message message;
    message.type = MessageType::Connect;
    message.subject = grant;
    message.geometry = geometry;
    const Incoming reply = request(message);
    if (reply.message.status != Status::Ok) return reply.message.status;
    return reply.message.subject;
  }

  // The ledger (the root domain only): every row that is in use.
  [[nodiscard]] std::vector<LedgerRow> inspect(MessageType type) {
    std::vector<LedgerRow> rows;
    Message message;
    message.type = type;
    while (true) {
      const Message reply = request(message).message;
      if (reply.status == Status::Gone) return rows;
      if (reply.status != Status::Ok) throw std::runtime_error("no ledger for this domain");
      rows.push_back(reply.row);
      message.index = reply.row.index + 1;
    }
  }
  [[nodiscard]] LedgerRow account(const Domain& domain) {
    for (const LedgerRow& row : inspect(MessageType::InspectDomain)) {
      if (row.index == domain.handle().index && row.generation == domain.handle().generation) {
        return row;
      }
    }
    throw std::runtime_error("the ledger has no such domain");
  }
  [[nodiscard]] std::size_t sessions() { return inspect(MessageType::InspectSession).size(); }
  // Accounts, escrow and sessions together: always the machine's budget.
  [[nodiscard]] std::uint64_t total() {
    std::uint64_t pages = 0;
    for (const LedgerRow& row : inspect(MessageType::InspectDomain)) {
      pages += std::uint64_t{row.pages} + row.in_escrow + row.in_sessions;
    }
    return pages;
  }

 private:
  // Takes in one packet, waiting `patience_ms` at most.
  bool receive(int patience_ms) {
    pollfd ready{link_.fd(), POLLIN, 0};
    if (gone_ || ::poll(&ready, 1, patience_ms) <= 0) return false;
    Result<Incoming> incoming = link_.receive();
    gone_ = incoming.status() == Status::Gone;
    if (!incoming) return false;
    kept_.push_back(std::move(*incoming));
    return true;
  }
  Incoming take(const std::function<bool(const Message&)>& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (std::size_t looked_at = 0;; ++looked_at) {
      while (looked_at == kept_.size()) {
        if (gone_) throw std::runtime_error("the broker closed the socket");
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no answer");
        receive(100);
      }
      if (wanted(kept_[looked_at].message)) {
        Incoming found = std::move(kept_[looked_at]);
        kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(looked_at));
        return found;
      }
    }
  }

  Handle handle_;
  ControlLink link_;
  std::deque<Incoming> kept_;
  bool gone_ = false;
};

// One side of a session: what came with its Offer, mapped.
struct SessionSide {
  OfferFds fds;
  Mapping mapping;

  void let_go() {
    mapping.reset();
    fds = {};
  }
};

struct LiveSession {
  Handle handle;
  Geometry geometry;
  SessionSide driver;
  SessionSide client;
};

[[nodiscard]] inline constexpr Geometry small_geometry(std::uint32_t pages = 64) {
  return {.pages = pages, .rings = 1, .slot_bytes = 64, .slots = 32};
}

// Takes the Offer, maps the region. Says nothing to the broker yet.
[[nodiscard]] inline SessionSide accept_offer(Domain& domain, Handle session) {
  Domain::Incoming offer = domain.await(MessageType::Offer, session);
  if (offer.fd_count != 3) throw std::runtime_error("an Offer without its descriptors");
  SessionSide side;
  side.fds = {std::move(offer.fds[0]), std::move(offer.fds[1]), std::move(offer.fds[2])};
  Result<Mapping> mapping = Mapping::map(side.fds.region.get(), offer.message.geometry.bytes());
  if (!mapping) throw std::runtime_error("the offered region cannot be mapped");
  side.mapping = std::move(*mapping);
  return side;
}

// Up to the point where the client has the Offer mapped, but has not said so.
[[nodiscard]] inline LiveSession connect_until_client_maps(Domain& client, Domain& driver,
                                                           Handle grant, const Geometry& geometry) {
  LiveSession session;
  session.geometry = geometry;
  const Result<Handle> handle = client.connect(grant, geometry);
  if (!handle) throw std::runtime_error("no session: " + std::string(to_string(handle.status())));
  session.handle = *handle;
  session.driver = accept_offer(driver, session.handle);
  format_ring(session.driver.mapping.data());
  Message mapped;
  mapped.type = MessageType::Mapped;
  mapped.subject = session.handle;
  mapped.info.bytes[0] = 42;
  if (driver.request(mapped).message.status != Status::Ok) {
    throw std::runtime_error("the driver's Mapped was refused");
  }
  session.client = accept_offer(client, session.handle);
  return session;
}

[[nodiscard]] inline LiveSession connect_session(Domain& client, Domain& driver, Handle grant,
                                                 const Geometry& geometry) {
  LiveSession session = connect_until_client_maps(client, driver, grant, geometry);
  if (client.status_of(MessageType::Mapped, session.handle) != Status::Ok) {
    throw std::runtime_error("the client's Mapped was refused");
  }
  (void)driver.await(MessageType::Connected, session.handle);
  (void)client.await(MessageType::Connected, session.handle);
  return session;
}

// Both sides let go as they should, in the driver's order first.
inline void close_session(Domain& client, Domain& driver, LiveSession session) {
  if (client.status_of(MessageType::Close, session.handle) != Status::Ok) {
    throw std::runtime_error("Close was refused");
  }
  (void)driver.await(MessageType::Closing, session.handle);
  (void)client.await(MessageType::Closing, session.handle);
  session.driver.let_go();
  session.client.let_go();
  (void)driver.request(MessageType::Release, session.handle);
  (void)client.request(MessageType::Release, session.handle);
  (void)driver.await(MessageType::Closed, session.handle);
  (void)client.await(MessageType::Closed, session.handle);
}

}  // namespace cede::test
