// SPDX-License-Identifier: Apache-2.0
// What is said over a capability socket, between the broker and one domain.
//
// Carrier: a Unix SOCK_SEQPACKET pair made by the broker, inherited by the domain, one message a
// packet, every packet exactly sizeof(Message). The socket is the identity: a domain has no name it
// could forge, and a handle works only on the socket that it was issued to.
// File descriptors travel from the broker to a domain and never the other way: a packet that
// carries one, or is of another size, ends its sender.
//
// Every request has one Reply with the request's tag. Everything else comes unasked (events).
// A domain that does not read is dropped when the broker's queue for it is full.
//
//  request           who may                        fields
//  CreateDomain      any domain: pages out of its   pages, name -> Reply.subject = domain, with
//                    own account; becomes parent    1 descriptor: the child's socket
//  DestroyDomain     an ancestor                    subject = domain; its subtree goes with it
//  Fund              the parent                     subject = child, pages
//  GrantDevice       an ancestor of both            subject = client, object = driver, device,
//                                                   name -> Reply.subject = grant
//  RevokeGrant       an ancestor of both            subject = grant, status = why: the client's
//                                                   session on the device closes
//  Connect           the grant's client             subject = grant, geometry
//                                                   -> Reply.subject = session
//  Mapped            driver, then client: the       subject = session; the driver's info
//                    region is mapped read-write
//  Refuse            the driver, when offered       subject = session, status
//  Close             client, driver, an ancestor    subject = session, status = why
//                    of the client
//  Release           client, driver: nothing of     subject = session
//                    the region is held any more
//  SealSystem        the root domain
//  InspectDomain     the root domain                index -> Reply.row (the next used row at or
//  InspectSession                                   after index; Status::Gone: no more)
//
//  event             to                             fields
//  Granted           client                         subject = grant, device, name
//  Revoked           client                         subject = grant: its driver is gone, or an
//                                                   ancestor took it back
//  Offer             driver, then client            subject = session, geometry, device (to the
//                                                   driver), name of the peer; 3 descriptors
//  Connected         both                           subject = session; to the client: info
//  Closing           both                           subject = session, status = the reason
//  Closed            both (if alive)                subject = session, status = the reason; the
//                                                   pages are home
//  Kill              the driver's parent            subject = domain: it overran a deadline and
//                                                   must be killed
//
// Doorbells. Offer carries [0] the region's memfd, [1] the kick, with which the client wakes the
// driver, [2] the call, with which the driver wakes the client. Kick and call are one end each of
// a datagram pair (protocols/posix/doorbell.h): who rings sends one byte with MSG_DONTWAIT, and a
// full queue means that the peer has been rung already; who waits takes out what there is, then
// looks at the rings. No open file is held by both sides, save the region.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "protocols/session.h"
#include "protocols/status.h"

namespace cede {

enum class MessageType : std::uint16_t {
  // requests
  CreateDomain = 1,
  DestroyDomain = 2,
  Fund = 3,
  GrantDevice = 4,
  RevokeGrant = 5,
  Connect = 6,
  Mapped = 7,
  Refuse = 8,
  Close = 9,
  Release = 10,
  SealSystem = 11,
  InspectDomain = 12,
  InspectSession = 13,
  // from the broker
  Reply = 64,
  Granted = 65,
  Revoked = 66,
  Offer = 67,
  Connected = 68,
  Closing = 69,
  Closed = 70,
  Kill = 71,
};

// A short name for logs and for matching devices; opaque to the broker. Zero-padded.
struct Name {
  static constexpr std::size_t kBytes = 32;
  char text[kBytes] = {};

  Name() = default;
  // Cuts what does not fit.
  explicit Name(std::string_view name) noexcept { name.copy(text, kBytes - 1); }
  [[nodiscard]] std::string_view view() const noexcept {
    const std::string_view all(text, kBytes);
    return all.substr(0, all.find('\0'));
  }
};

// What a driver tells of a device at Mapped; the broker carries it to the client unread.
struct DeviceInfo {
  static constexpr std::size_t kBytes = 64;
  unsigned char bytes[kBytes] = {};
};

// One row of the ledger, as InspectDomain and InspectSession show it.
struct LedgerRow {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  std::uint32_t parent_or_client = 0;  // domain: its parent; session: its client
  std::uint32_t driver = 0;            // session: its driver
  std::uint32_t pages = 0;             // domain: in its account; session: of its region
  std::uint32_t given = 0;             // domain: what it was ever given and not taken back
  std::uint32_t in_sessions = 0;       // domain: pages of its sessions, escrow excluded
  std::uint32_t in_escrow = 0;         // domain: pages in escrow on its behalf
  std::uint32_t device = 0;            // session
  std::uint8_t state = 0;              // session: SessionState; domain: 1 alive, 2 dying
  std::uint8_t proof = 0;  // session: 1 by the memory cgroup, 2 by both words and the file's end
  std::uint16_t reserved = 0;
};

// A packet. Fields that a type does not use are zero and are not looked at.
struct Message {
  MessageType type{};
  Status status = Status::Ok;
  std::uint32_t tag = 0;  // the requester's; comes back in the Reply
  Handle subject;
  Handle object;
  std::uint32_t index = 0;
  std::uint32_t pages = 0;
  std::uint32_t device = 0;  // the driver's number for a device (a volume, a port)
  std::uint32_t reserved = 0;
  Geometry geometry;
  std::uint32_t reserved2 = 0;
  LedgerRow row;
  Name name;
  DeviceInfo info;
};

static_assert(std::is_trivially_copyable_v<Message> && std::is_standard_layout_v<Message>);
static_assert(sizeof(Message) == 192);

}  // namespace cede
