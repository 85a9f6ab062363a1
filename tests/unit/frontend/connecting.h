// SPDX-License-Identifier: Apache-2.0
// A connection, with a clock and a broker that the test plays.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "frontend/device_connection.h"

namespace cede::frontend {

using State = DeviceConnection::State;
using Task = DeviceConnection::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Geometry kGeometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 16};
inline constexpr Handle kGrant{3, 1};
inline constexpr Handle kSession{7, 1};

inline Message event(MessageType type, Handle subject, Status status = Status::Ok) {
  Message message;
  message.type = type;
  message.subject = subject;
  message.status = status;
  return message;
}

// A connection, a clock, and the broker's side of the conversation.
class Connecting : public testing::Test {
 protected:
  void grant(Handle handle = kGrant, std::string_view name = "vda") {
    connection_.granted(handle, Name(name), now_);
  }
  // Sends whatever is due; its type.
  std::vector<MessageType> send_due() {
    std::vector<MessageType> types;
    while (const auto message = connection_.outgoing(now_)) {
      types.push_back(message->type);
      last_ = *message;
      connection_.sent(message->type, ++tag_, now_);
    }
    return types;
  }
  Task reply(Status status, Handle session = {}) {
    Message message = event(MessageType::Reply, session, status);
    message.tag = tag_;
    return connection_.receive(message, now_);
  }
  Task tell(MessageType type, Status status = Status::Ok, Handle session = kSession) {
    return connection_.receive(event(type, session, status), now_);
  }
  Task revoke(Handle grant = kGrant) {
    return connection_.receive(event(MessageType::Revoked, grant), now_);
  }
  void connect(Handle session = kSession) {
    ASSERT_EQ(send_due(), std::vector{MessageType::Connect});
    ASSERT_EQ(reply(Status::Ok, session), Task::None);
    ASSERT_EQ(tell(MessageType::Offer, Status::Ok, session), Task::MapOffer);
    connection_.mapped(true);
    ASSERT_EQ(send_due(), std::vector{MessageType::Mapped});
    ASSERT_EQ(tell(MessageType::Connected, Status::Ok, session), Task::HandOver);
    ASSERT_EQ(connection_.state(), State::Connected);
  }
  [[nodiscard]] DeviceConnection::Duration until_deadline() const {
    const auto deadline = connection_.deadline();
    return deadline ? *deadline - now_ : DeviceConnection::Duration::max();
  }

  DeviceConnection connection_{"vda", kGeometry};
  DeviceConnection::TimePoint now_{seconds(1000)};
  Message last_;
  std::uint32_t tag_ = 0;
};

}  // namespace cede::frontend
