// SPDX-License-Identifier: Apache-2.0
// A session of the client's disk made by hand: what happens between Connect and Connected, and
// between Close and Closed, is up to the attack.
#pragma once

#include <utility>

#include "tests/attack/client.h"
#include "tests/support/eventually.h"

namespace cede::attack {

struct BareSession {
  Handle handle;
  test::SessionSide side;
};

// As far as the Offer, mapped. The disk must be free.
[[nodiscard]] inline BareSession take_offer(Client& client, Handle grant) {
  const Result<Handle> session = client.broker().connect(grant, Client::kDiskGeometry);
  if (!session) throw std::runtime_error("no session: " + std::string(to_string(session.status())));
  return {*session, test::accept_offer(client.broker(), *session)};
}

// Says Mapped. False: the session is rolled back.
[[nodiscard]] inline bool connects(Client& client, Handle session) {
  test::Domain& broker = client.broker();
  (void)broker.request(MessageType::Mapped, session);
  return eventually([&] {
           return broker.has(MessageType::Connected, session) ||
                  broker.has(MessageType::Closing, session);
         }) &&
         broker.has(MessageType::Connected, session);
}

// Ends it, in whatever state it is, and waits until the pages are home.
inline void give_back(Client& client, BareSession session) {
  test::Domain& broker = client.broker();
  (void)broker.request(MessageType::Close, session.handle);
  session.side.let_go();
  const bool closed = eventually([&] {
    if (broker.has(MessageType::Offer, session.handle)) {
      (void)broker.await(MessageType::Offer, session.handle);
    }
    (void)broker.request(MessageType::Release, session.handle);
    return broker.has(MessageType::Closed, session.handle);
  });
  if (!closed) throw std::runtime_error("the pages of a session do not come home");
  for (const auto type : {MessageType::Connected, MessageType::Closing, MessageType::Closed}) {
    if (broker.has(type, session.handle)) (void)broker.await(type, session.handle);
  }
}

}  // namespace cede::attack
