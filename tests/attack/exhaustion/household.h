// SPDX-License-Identifier: Apache-2.0
// What a client can do with the pages that its two sessions leave it: domains of its own below it,
// a driver and a tenant among them, whose every word is the attacker's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/attack/client.h"

namespace cede::attack {

// Of an account of 12 MiB.
inline constexpr std::uint32_t kSparePages =
    3072 - Client::kDiskGeometry.pages - Client::kPortGeometry.pages;

// Nothing where the broker refuses.
[[nodiscard]] inline std::optional<test::Domain> try_child(test::Domain& parent,
                                                           std::uint32_t pages,
                                                           std::string_view name = "child") {
  Message message;
  message.type = MessageType::CreateDomain;
  message.pages = pages;
  message.name = Name(name);
  test::Domain::Incoming reply = parent.request(message);
  if (reply.message.status != Status::Ok) return std::nullopt;
  return test::Domain(reply.message.subject, std::move(reply.fds[0]));
}

[[nodiscard]] inline std::optional<Handle> try_grant(test::Domain& parent, Handle tenant,
                                                     Handle driver, std::uint32_t device) {
  Message message;
  message.type = MessageType::GrantDevice;
  message.subject = tenant;
  message.object = driver;
  message.device = device;
  const Message reply = parent.request(message).message;
  if (reply.status != Status::Ok) return std::nullopt;
  return reply.subject;
}

}  // namespace cede::attack
