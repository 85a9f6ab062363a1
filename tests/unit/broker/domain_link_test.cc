// SPDX-License-Identifier: Apache-2.0
// The carrier's rules, with the test as the domain.
#include "vmm/broker/domain_link.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "protocols/posix/channel.h"

namespace cede::broker {
namespace {

struct Peer {
  explicit Peer(boost::asio::io_context& loop) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
    socket = Fd(pair[0]);
    broker_end = Fd(::fcntl(pair[1], F_DUPFD_CLOEXEC, 0));
    link = std::make_shared<DomainLink>(loop, Fd(pair[1]));
    link->start([this](const Message& message) { tags.push_back(message.tag); },
                [this](std::string_view why) { ends.emplace_back(why); });
  }
  ~Peer() { link->close(); }

  [[nodiscard]] Status send(std::uint32_t tag, std::span<const int> fds = {}) const {
    Message message;
    message.tag = tag;
    return send_packet(socket.get(), std::as_bytes(std::span(&message, 1)), fds);
  }

  Fd socket;
  Fd broker_end;  // another name for the link's own
  std::shared_ptr<DomainLink> link;
  std::vector<std::uint32_t> tags;
  std::vector<std::string> ends;
};

class DomainLinkTest : public testing::Test {
 protected:
  // Everything that is ready now.
  void run() {
    loop_.restart();
    loop_.poll();
  }

  boost::asio::io_context loop_{1};
};

TEST_F(DomainLinkTest, BringsMessagesInOrder) {
  Peer peer(loop_);
  for (std::uint32_t tag = 0; tag < 40; ++tag) ASSERT_EQ(peer.send(tag), Status::Ok);
  run();
  ASSERT_EQ(peer.tags.size(), 40U);
  for (std::uint32_t tag = 0; tag < 40; ++tag) EXPECT_EQ(peer.tags[tag], tag);
  EXPECT_TRUE(peer.ends.empty());
}

TEST_F(DomainLinkTest, AFloodLeavesTheOthersTheirTurn) {
  Peer flood(loop_);
  Peer other(loop_);
  while (flood.send(1) == Status::Ok) {
  }
  ASSERT_EQ(other.send(2), Status::Ok);
  while (other.tags.empty() && loop_.poll_one() != 0) {
  }
  EXPECT_EQ(other.tags.size(), 1U);
  EXPECT_LE(flood.tags.size(), 2U * DomainLink::kMessagesPerWake);
}

TEST_F(DomainLinkTest, PacketsOfAnotherSizeEndTheirSender) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, sizeof(Message) / 2,
                                 sizeof(Message) - 1, sizeof(Message) + 1, std::size_t{60000}}) {
    SCOPED_TRACE(size);
    Peer peer(loop_);
    const std::vector<char> packet(size);
    ASSERT_EQ(::send(peer.socket.get(), packet.data(), size, 0), static_cast<ssize_t>(size));
    run();
    EXPECT_EQ(peer.ends.size(), 1U);
    EXPECT_TRUE(peer.tags.empty());
  }
}

TEST_F(DomainLinkTest, AClosedOrHalfClosedSocketEndsOnce) {
  Peer closed(loop_);
  Peer half(loop_);
  ASSERT_EQ(closed.send(1), Status::Ok);
  closed.socket.reset();
  ::shutdown(half.socket.get(), SHUT_WR);
  run();
  EXPECT_EQ(closed.tags.size(), 1U) << "what was said before is heard";
  EXPECT_EQ(closed.ends.size(), 1U);
  EXPECT_EQ(half.ends.size(), 1U);
}

TEST_F(DomainLinkTest, DescriptorsAreRefusedAtTheSenderOrEndIt) {
  Peer peer(loop_);
  const int fd = STDIN_FILENO;
  const Status sent = peer.send(1, std::span(&fd, 1));
  run();
  EXPECT_TRUE(peer.tags.empty());
  EXPECT_EQ(peer.ends.size(), sent == Status::Ok ? 1U : 0U);
}

TEST_F(DomainLinkTest, ADescriptorThatComesThroughEndsItsSenderAndIsHeldByNobody) {
  Peer peer(loop_);
  const int on = 1;  // as on kernels that cannot refuse it
  ::setsockopt(peer.broker_end.get(), SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &on, sizeof on);
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd reader(pipe[0]);
  Fd writer(pipe[1]);
  const int smuggled = writer.get();
  ASSERT_EQ(peer.send(1, std::span(&smuggled, 1)), Status::Ok);
  writer.reset();
  run();
  EXPECT_TRUE(peer.tags.empty());
  ASSERT_EQ(peer.ends.size(), 1U);
  EXPECT_EQ(peer.ends[0], "it sent a descriptor, or a packet of another size");
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "somebody holds the smuggled pipe";
}

TEST_F(DomainLinkTest, APeerThatDoesNotReadCostsBoundedMemoryThenItsLink) {
  Peer peer(loop_);
  int sent = 0;
  for (; sent < 10000 && peer.link->is_open(); ++sent) peer.link->send(Message{});
  EXPECT_GT(sent, 200) << "a burst has to fit";
  EXPECT_LT(sent, 2000);
  EXPECT_TRUE(peer.ends.empty()) << "told from within send()";
  peer.link->send(Message{});
  run();
  ASSERT_EQ(peer.ends.size(), 1U);
  EXPECT_EQ(peer.ends[0], "it does not read its messages");
}

TEST_F(DomainLinkTest, WhatWasSentArrivesInOrderWithItsDescriptors) {
  Peer peer(loop_);
  const int passed[2] = {STDIN_FILENO, STDOUT_FILENO};
  for (std::uint32_t tag = 0; tag < 100; ++tag) {
    Message message;
    message.tag = tag;
    peer.link->send(message, passed);
  }
  for (std::uint32_t tag = 0; tag < 100; ++tag) {
    Message message;
    const auto packet = receive_packet(
        peer.socket.get(), std::as_writable_bytes(std::span(&message, 1)), kMaxPacketFds);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->fd_count, 2U);
    EXPECT_EQ(message.tag, tag);
  }
}

TEST_F(DomainLinkTest, AfterCloseNothingIsHeard) {
  Peer peer(loop_);
  ASSERT_EQ(peer.send(1), Status::Ok);
  peer.link->close();
  peer.link->send(Message{});
  run();
  EXPECT_TRUE(peer.tags.empty());
  EXPECT_TRUE(peer.ends.empty());
}

}  // namespace
}  // namespace cede::broker
