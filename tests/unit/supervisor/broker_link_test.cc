// SPDX-License-Identifier: Apache-2.0
// The supervisor's conversation with a broker that the test plays.
#include "vmm/supervisor/broker_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "protocols/posix/channel.h"

namespace cede::supervisor {
namespace {

// A broker that says what it has to say while a request is under way: events, then the reply.
class BusyBroker {
 public:
  explicit BusyBroker(std::vector<Message> events) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::terminate();
    supervisors_ = Fd(ends[0]);
    socket_ = Fd(ends[1]);
    thread_ = std::jthread([this, events = std::move(events)] {
      Message request;
      if (::recv(socket_.get(), &request, sizeof request, 0) != sizeof request) return;
      for (const Message& event : events) say(event);
      Message reply;
      reply.type = MessageType::Reply;
      reply.tag = request.tag;
      say(reply);
    });
  }
  [[nodiscard]] Fd take_supervisors_end() { return std::move(supervisors_); }

 private:
  void say(const Message& message) const {
    EXPECT_EQ(send_packet(socket_.get(), std::as_bytes(std::span(&message, 1))), Status::Ok);
  }
  Fd supervisors_;
  Fd socket_;
  std::jthread thread_;
};

Message kill_order(Handle domain) {
  Message message;
  message.type = MessageType::Kill;
  message.subject = domain;
  return message;
}

TEST(BrokerLink, AnEventThatComesBeforeTheReplyIsAnnouncedAndKept) {
  BusyBroker broker({kill_order({3, 1}), kill_order({4, 1})});
  int announced = 0;
  BrokerLink link(broker.take_supervisors_end(), 0, [&] { ++announced; });
  EXPECT_EQ(link.seal_system(), Status::Ok);
  EXPECT_EQ(announced, 2) << "nobody would look for it: the socket is not readable";
  auto event = link.take_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, MessageType::Kill);
  EXPECT_EQ(event->subject, (Handle{3, 1}));
  event = link.take_event();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->subject, (Handle{4, 1}));
}

TEST(BrokerLink, WithoutAnEventNothingIsAnnounced) {
  BusyBroker broker({});
  bool announced = false;
  BrokerLink link(broker.take_supervisors_end(), 0, [&] { announced = true; });
  EXPECT_EQ(link.seal_system(), Status::Ok);
  EXPECT_FALSE(announced);
  EXPECT_FALSE(link.take_event());
}

}  // namespace
}  // namespace cede::supervisor
