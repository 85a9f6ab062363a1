// SPDX-License-Identifier: Apache-2.0
// What can happen to the broker's core, and what the core wants done.
//
// The shell turns messages, kernel results and time into Actions, hands them to step(), and carries
// out the Effects in order. The core never learns of sockets, descriptors or clocks; the shell
// never decides anything.
#pragma once

#include <cstdint>

#include "protocols/session.h"
#include "protocols/status.h"

namespace cede::broker {

struct Action {
  enum class Kind : std::uint8_t {
    // From a domain's capability socket: `actor` is that domain, vouched for by the shell.
    // Every other field is hostile.
    CreateDomain,   // pages
    DestroyDomain,  // subject = domain
    Fund,           // subject = child domain, pages
    GrantDevice,    // subject = client, object = driver, device
    RevokeGrant,    // subject = grant, status = why its session ends
    Connect,        // subject = grant, pages
    Mapped,         // subject = session
    Refuse,         // subject = session, status = why; the driver holds nothing of it any more
    Close,          // subject = session, status = why: Ok, or what the peer did wrong
    Release,        // subject = session
    SealSystem,
    // From the shell itself: true by construction.
    DomainDied,    // subject = domain: its socket closed, or it broke the carrier's rules
    RegionMade,    // subject = session, status: Ok, or why there is no populated region
    RegionSealed,  // subject = session, status: Ok after seals, size and population were verified
    Proven,        // subject = session: the kernel has shown that nobody holds the pages
    Tick,          // elapsed_ms since the last Tick
  };

  Kind kind{};
  Status status = Status::Ok;
  Handle actor{};
  Handle subject{};
  Handle object{};
  std::uint32_t pages = 0;
  std::uint32_t device = 0;
  std::uint32_t elapsed_ms = 0;
};

struct Effect {
  enum class Kind : std::uint8_t {
    MakeRegion,  // session: make, populate and size-seal; answer with RegionMade
    SealRegion,  // session: the final seals; answer with RegionSealed
    LetGo,       // session: close the broker's own descriptors, watch for the proof, answer Proven
    DropDomain,  // domain: close its socket, forget it
    // One message each, in the order of their types.
    TellGranted,    // grant (in subject), domain = client
    TellRevoked,    // grant (in subject), domain = client
    Offer,          // session, domain: send it the region and its doorbell ends
    TellConnected,  // session, domain
    TellClosing,    // session, domain, status = why: let go of it and say Release
    TellClosed,     // session, domain, status: the pages are home; the last word about the session
    Kill,  // domain: it overran a deadline, or died and still holds pages; ask the domain in
           // subject (its parent, or the nearest living ancestor) to kill it
  };

  Kind kind{};
  Status status = Status::Ok;
  Handle domain{};
  Handle subject{};  // the session or the grant
};

// The answer to the domain that asked, beside the effects.
struct Outcome {
  Status status = Status::Ok;
  Handle handle{};  // what was created, if anything was
};

}  // namespace cede::broker
