// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/message_reader.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "protocols/posix/channel.h"
#include "tests/support/session_parts.h"

namespace cede::vhost_user {
namespace {

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): a DIR of our own
  ::closedir(dir);
  return count;
}

// A reader on a socket, and a front-end that may say anything.
struct Conversation {
  Conversation() {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ours_ = Fd(pair[0]);
    theirs_ = Fd(pair[1]);
  }
  static std::vector<std::byte> packet(Request request, std::size_t payload,
                                       std::uint32_t flags = Header::kVersion) {
    const Header header{request, flags, static_cast<std::uint32_t>(payload)};
    std::vector<std::byte> bytes(sizeof header + payload);
    std::memcpy(bytes.data(), &header, sizeof header);
    for (std::size_t i = sizeof header; i < bytes.size(); ++i) bytes[i] = std::byte{7};
    return bytes;
  }
  void send(std::span<const std::byte> bytes, std::size_t fds = 0) {
    std::vector<Fd> held;
    std::vector<int> raw;
    for (std::size_t i = 0; i < fds; ++i) {
      held.push_back(test::checked(::eventfd(0, EFD_CLOEXEC)));
      raw.push_back(held.back().get());
    }
    ASSERT_EQ(send_packet(theirs_.get(), bytes, raw), Status::Ok);
  }
  Status read() { return reader_.read(ours_.get(), message_); }

  Fd ours_;
  Fd theirs_;
  MessageReader reader_;
  Message message_;
};

class MessageReaderTest : public testing::Test, protected Conversation {};

TEST_F(MessageReaderTest, ReadsWholeMessagesOneAfterTheOther) {
  send(packet(Request::SetFeatures, 8));
  send(packet(Request::GetFeatures, 0));
  EXPECT_EQ(read(), Status::Ok);
  EXPECT_EQ(message_.header.request, Request::SetFeatures);
  EXPECT_EQ(message_.as<std::uint64_t>(), 0x0707070707070707U);
  EXPECT_EQ(read(), Status::Ok);
  EXPECT_EQ(message_.header.request, Request::GetFeatures);
  EXPECT_EQ(read(), Status::Busy);
}

TEST_F(MessageReaderTest, AMessageMayComeByteByByte) {
  const auto bytes = packet(Request::SetVringNum, 8);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    send(std::span(bytes).subspan(i, 1));
    EXPECT_EQ(read(), Status::Busy) << i;
  }
  send(std::span(bytes).last(1));
  EXPECT_EQ(read(), Status::Ok);
}

TEST_F(MessageReaderTest, EachMessageGetsItsOwnDescriptors) {
  send(packet(Request::SetFeatures, 8));
  send(packet(Request::SetVringCall, 8), 1);
  send(packet(Request::SetMemTable, 8 + 3 * 32), 3);
  send(packet(Request::SetVringKick, 8), 1);
  for (const std::size_t expected : {0U, 1U, 3U, 1U}) {
    EXPECT_EQ(read(), Status::Ok);
    EXPECT_EQ(message_.fd_count, expected);
  }
}

TEST_F(MessageReaderTest, APartialHeaderAndThenSilenceIsBusyAndThenGone) {
  const auto bytes = packet(Request::SetFeatures, 8);
  send(std::span(bytes).first(5));
  EXPECT_EQ(read(), Status::Busy);
  EXPECT_EQ(read(), Status::Busy);
  theirs_.reset();
  EXPECT_EQ(read(), Status::Gone);
}

TEST_F(MessageReaderTest, WhatNoMessageLooksLikeIsBroken) {
  struct Case {
    const char* what;
    std::size_t bytes;
    std::size_t fds;
    Request request;
    std::uint32_t flags;
  };
  constexpr std::uint32_t kV = Header::kVersion;
  const Case cases[] = {
      {"version 0", 0, 0, Request::GetFeatures, 0},
      {"version 2", 0, 0, Request::GetFeatures, 2},
      {"a reply", 0, 0, Request::GetFeatures, kV | Header::kReply},
      {"a payload where none belongs", 8, 0, Request::GetFeatures, kV},
      {"a missing payload", 0, 0, Request::SetFeatures, kV},
      {"a short payload", 39, 0, Request::SetVringAddr, kV},
      {"a long payload", 41, 0, Request::SetVringAddr, kV},
      {"a table of nine regions", 8 + 9 * 32, 0, Request::SetMemTable, kV},
      {"a long configuration", 12 + 257, 0, Request::SetConfig, kV},
      {"a short description", 19, 0, Request::SetInflightFd, kV},
      {"an unknown request of any length", kMaxPayload + 1, 0, static_cast<Request>(77), kV},
      {"descriptors where none belong", 0, 1, Request::GetFeatures, kV},
      {"two descriptors where one belongs", 8, 2, Request::SetVringKick, kV},
      {"an unknown request with descriptors", 0, 1, static_cast<Request>(77), kV},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    const std::size_t before = open_descriptors();
    {
      Conversation fresh;
      fresh.send(packet(one.request, one.bytes, one.flags), one.fds);
      EXPECT_EQ(fresh.read(), Status::Broken);
    }
    EXPECT_EQ(open_descriptors(), before) << "every descriptor is closed";
  }
}

TEST_F(MessageReaderTest, DescriptorsThatComeWithThePayloadCountAsWell) {
  const auto bytes = packet(Request::SetMemTable, 8 + 32);
  send(std::span(bytes).first(sizeof(Header)), 8);
  EXPECT_EQ(read(), Status::Busy);
  send(std::span(bytes).subspan(sizeof(Header)), 1);
  EXPECT_EQ(read(), Status::Broken);
}

}  // namespace
}  // namespace cede::vhost_user
