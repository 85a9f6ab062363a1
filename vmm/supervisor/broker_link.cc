// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/broker_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace cede::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};

// Readable, or writable, before the deadline?
bool wait_for(int fd, short events, steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  if (left.count() <= 0) return false;
  pollfd poll_fd{fd, events, 0};
  (void)::poll(&poll_fd, 1, static_cast<int>(left.count()));  // EINTR: the caller comes again
  return true;
}

}  // namespace

BrokerLink::~BrokerLink() {
  ::shutdown(fd(), SHUT_RDWR);
}

Result<ControlLink::Incoming> BrokerLink::ask(const Message& request) {
  if (dead_) return Status::Gone;
  const auto deadline = steady_clock::now() + kPatience;
  Result<std::uint32_t> tag = link_.send(request);
  while (tag.status() == Status::Busy && wait_for(fd(), POLLOUT, deadline)) {
    tag = link_.send(request);
  }
  while (tag) {
    Result<ControlLink::Incoming> incoming = link_.receive();
    if (incoming && incoming->message.type != MessageType::Reply) {
      events_.push_back(incoming->message);
      if (kept_) kept_();
    } else if (incoming && incoming->message.tag == *tag) {
      if (incoming->message.status != Status::Ok) return incoming->message.status;
      return incoming;
    } else if (incoming.status() == Status::Busy) {
      if (!wait_for(fd(), POLLIN, deadline)) break;
    } else if (!incoming) {
      break;
    }
  }
  dead_ = true;
  ::shutdown(fd(), SHUT_RDWR);  // so that whoever watches it is told, too
  return Status::Gone;
}

Result<BrokerLink::NewDomain> BrokerLink::create_domain(std::string_view name,
                                                        std::uint32_t pages) {
  Message request;
  request.type = MessageType::CreateDomain;
  request.pages = pages;
  request.name = Name(name);
  Result<ControlLink::Incoming> reply = ask(request);
  if (!reply) return reply.status();
  if (reply->fd_count != 1) return Status::Broken;
  return NewDomain{reply->message.subject, std::move(reply->fds[0])};
}

Status BrokerLink::destroy_domain(Handle domain) {
  Message request;
  request.type = MessageType::DestroyDomain;
  request.subject = domain;
  return ask(request).status();
}

Result<Handle> BrokerLink::grant_device(Handle client, Handle driver, std::uint32_t device,
                                        std::string_view name) {
  Message request;
  request.type = MessageType::GrantDevice;
  request.subject = client;
  request.object = driver;
  request.device = device;
  request.name = Name(name);
  Result<ControlLink::Incoming> reply = ask(request);
  if (!reply) return reply.status();
  return reply->message.subject;
}

Status BrokerLink::revoke_grant(Handle grant) {
  Message request;
  request.type = MessageType::RevokeGrant;
  request.subject = grant;
  return ask(request).status();
}

Status BrokerLink::seal_system() {
  Message request;
  request.type = MessageType::SealSystem;
  return ask(request).status();
}

Result<std::vector<LedgerRow>> BrokerLink::domains() {
  return rows(MessageType::InspectDomain);
}
Result<std::vector<LedgerRow>> BrokerLink::sessions() {
  return rows(MessageType::InspectSession);
}

Result<std::vector<LedgerRow>> BrokerLink::rows(MessageType type) {
  std::vector<LedgerRow> rows;
  Message request;
  request.type = type;
  while (true) {
    Result<ControlLink::Incoming> reply = ask(request);
    if (!reply) {
      if (reply.status() == Status::Gone && !dead_) return rows;  // no more of them
      return reply.status();
    }
    rows.push_back(reply->message.row);
    request.index = reply->message.row.index + 1;
  }
}

std::optional<Message> BrokerLink::take_event() {
  while (!dead_) {
    Result<ControlLink::Incoming> incoming = link_.receive();
    if (incoming) {
      if (incoming->message.type != MessageType::Reply) events_.push_back(incoming->message);
    } else {
      dead_ = incoming.status() != Status::Busy;
      break;
    }
  }
  if (events_.empty()) return std::nullopt;
  const Message event = events_.front();
  events_.pop_front();
  return event;
}

}  // namespace cede::supervisor
