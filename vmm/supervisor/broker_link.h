// SPDX-License-Identifier: Apache-2.0
// The supervisor's conversation with the broker, as the root domain.
//
// Requests wait for their replies: the broker is trusted, and answers out of its own state without
// waiting for anybody. One that does not answer is treated as dead. Events that come in between are
// kept for take_event(); fd() is not readable for them any more, so there is a callback that says
// so.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "protocols/posix/control_link.h"

namespace cede::supervisor {

class BrokerLink {
 public:
  // `last_tag` is that of the latest request on this socket, or more. `kept` is called from within
  // a request, for each event that is kept; it must not ask anything.
  explicit BrokerLink(Fd socket, std::uint32_t last_tag = 0,
                      std::function<void()> kept = {}) noexcept
      : link_(std::move(socket), last_tag), kept_(std::move(kept)) {}
  BrokerLink(const BrokerLink&) = delete;
  BrokerLink& operator=(const BrokerLink&) = delete;
  // The end of the root domain and of the system, whoever else has the socket.
  ~BrokerLink();

  [[nodiscard]] int fd() const noexcept { return link_.fd(); }
  // Nothing can be asked any more; fd() is readable then.
  [[nodiscard]] bool dead() const noexcept { return dead_; }

  struct NewDomain {
    Handle handle;
    Fd socket;  // for the domain's program
  };
  [[nodiscard]] Result<NewDomain> create_domain(std::string_view name, std::uint32_t pages);
  Status destroy_domain(Handle domain);
  [[nodiscard]] Result<Handle> grant_device(Handle client, Handle driver, std::uint32_t device,
                                            std::string_view name);
  // The client's session on the device closes; no other is touched.
  Status revoke_grant(Handle grant);
  [[nodiscard]] Status seal_system();
  [[nodiscard]] Result<std::vector<LedgerRow>> domains();
  [[nodiscard]] Result<std::vector<LedgerRow>> sessions();

  // Reads what has come; returns the oldest event not yet taken.
  [[nodiscard]] std::optional<Message> take_event();

 private:
  [[nodiscard]] Result<ControlLink::Incoming> ask(const Message& request);
  [[nodiscard]] Result<std::vector<LedgerRow>> rows(MessageType type);

  ControlLink link_;
  std::function<void()> kept_;
  std::deque<Message> events_;
  bool dead_ = false;
};

}  // namespace cede::supervisor
