// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tests/attack/attack.h"
#include "tests/attack/bare_session.h"

namespace cede::attack {
namespace {

enum class At { Requested, Offered, Connected };

// What is said a second time must have no effect.
bool twice(Client& client, MessageType type, Handle session, const char* what) {
  (void)client.broker().request(type, session);
  if (client.broker().status_of(type, session) != Status::Ok) return true;
  client.stage().broke(std::string("a session is ") + what + " twice");
  return false;
}

// The session's handle, or nothing when something broke.
std::optional<Handle> live_and_die(Client& client, At state) {
  const Handle grant = client.disk().grant;
  BareSession session;
  if (state == At::Requested) {
    const Result<Handle> handle = client.broker().connect(grant, Client::kDiskGeometry);
    if (!handle) throw std::runtime_error("no session");
    session.handle = *handle;
  } else {
    session = take_offer(client, grant);
  }
  if (state == At::Connected) (void)connects(client, session.handle);
  const Handle handle = session.handle;
  const bool held = twice(client, MessageType::Close, handle, "closed") &&
                    twice(client, MessageType::Release, handle, "released");
  give_back(client, std::move(session));
  if (!held) return std::nullopt;
  return handle;
}

void run(Client& client) {
  test::Domain& broker = client.broker();
  client.close(client.disk());
  while (true) {
    for (const At state : {At::Requested, At::Offered, At::Connected}) {
      const std::optional<Handle> dead = live_and_die(client, state);
      if (!dead) return;
      // Its row may have another session by now.
      BareSession next = take_offer(client, client.disk().grant);
      for (const auto type : {MessageType::Mapped, MessageType::Close, MessageType::Release}) {
        if (broker.status_of(type, *dead) != Status::Ok) continue;
        return client.stage().broke("the handle of a closed session works on");
      }
      give_back(client, std::move(next));
    }
  }
}

const Entry entry{{.name = "double-close",
                   .family = "exhaustion",
                   .source = "double free",
                   .does = "closes and releases its sessions twice, in every state",
                   .holds = "the second time nothing happens, to its next session either",
                   .run = &run}};

}  // namespace
}  // namespace cede::attack
