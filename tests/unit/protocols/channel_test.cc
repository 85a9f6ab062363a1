// SPDX-License-Identifier: Apache-2.0
// Packets with descriptors over a real socket pair: what fits, what does not, and that no
// descriptor stays open that nobody asked for.
#include "protocols/posix/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "protocols/posix/control_link.h"
#include "protocols/posix/mapping.h"

namespace cede {
namespace {

struct Pair {
  Fd a;
  Fd b;
};

Pair make_pair(int type = SOCK_SEQPACKET) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  return {Fd(ends[0]), Fd(ends[1])};
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A handful of distinct files to pass on.
std::vector<Fd> make_files(std::size_t count) {
  std::vector<Fd> files;
  files.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    files.emplace_back(::memfd_create("passed", MFD_CLOEXEC));
    if (::ftruncate(files.back().get(), static_cast<off_t>(i + 1)) != 0) std::abort();
  }
  return files;
}
std::vector<int> numbers(const std::vector<Fd>& files) {
  std::vector<int> raw;
  raw.reserve(files.size());
  for (const Fd& file : files) raw.push_back(file.get());
  return raw;
}
off_t size_of(const Fd& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 ? status.st_size : -1;
}

TEST(Channel, CarriesAPacketAndItsDescriptorsInOrder) {
  const Pair pair = make_pair();
  const auto files = make_files(3);
  ASSERT_EQ(send_packet(pair.a.get(), bytes_of("offer"), numbers(files)), Status::Ok);
  std::array<std::byte, 64> buffer{};
  const auto packet = receive_packet(pair.b.get(), buffer, 3);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->bytes, 5U);
  EXPECT_FALSE(packet->excess_fds);
  ASSERT_EQ(packet->fd_count, 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(size_of(packet->fds[i]), static_cast<off_t>(i + 1));
    EXPECT_EQ(::fcntl(packet->fds[i].get(), F_GETFD), FD_CLOEXEC) << "not for programs we start";
  }
}

TEST(Channel, ClosesDescriptorsThatNobodyAskedFor) {
  const Pair pair = make_pair();
  const auto files = make_files(kMaxPacketFds);
  std::array<std::byte, 64> buffer{};
  for (std::size_t wanted = 0; wanted < kMaxPacketFds; ++wanted) {
    const std::size_t before = open_descriptors();
    ASSERT_EQ(send_packet(pair.a.get(), bytes_of("x"), numbers(files)), Status::Ok);
    {
      const auto packet = receive_packet(pair.b.get(), buffer, wanted);
      ASSERT_TRUE(packet);
      EXPECT_TRUE(packet->excess_fds);
      EXPECT_EQ(packet->fd_count, wanted);
      EXPECT_EQ(open_descriptors(), before + wanted);
    }
    EXPECT_EQ(open_descriptors(), before);
  }
}

// As a hostile sender would: as many descriptors as the kernel takes.
void send_raw(int socket, const std::vector<int>& raw) {
  char byte = 0;
  iovec data{&byte, 1};
  std::vector<std::byte> control(CMSG_SPACE(raw.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(raw.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), raw.data(), raw.size() * sizeof(int));
  ASSERT_EQ(::sendmsg(socket, &message, 0), 1);
}

TEST(Channel, TwoHundredDescriptorsInOnePacketLeaveNoneOpen) {
  const Pair pair = make_pair();
  const auto files = make_files(1);
  const std::size_t before = open_descriptors();
  send_raw(pair.a.get(), std::vector<int>(200, files[0].get()));
  ASSERT_FALSE(HasFatalFailure());
  std::array<std::byte, 64> buffer{};
  {
    const auto packet = receive_packet(pair.b.get(), buffer, kMaxPacketFds);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->excess_fds) << "the kernel said MSG_CTRUNC";
    EXPECT_EQ(packet->fd_count, kMaxPacketFds);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Channel, AReceiverOutOfDescriptorsIsToldThatSomeAreMissing) {
  const Pair pair = make_pair();
  const auto files = make_files(4);
  ASSERT_EQ(send_packet(pair.a.get(), bytes_of("x"), numbers(files)), Status::Ok);
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &saved), 0);
  // The next free number and one more, nothing beyond.
  const Fd probe(::fcntl(files[0].get(), F_DUPFD_CLOEXEC, 0));
  const rlimit tight{static_cast<rlim_t>(probe.get()) + 2, saved.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  std::array<std::byte, 64> buffer{};
  const auto packet = receive_packet(pair.b.get(), buffer, 4);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &saved), 0);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(packet->excess_fds);
  EXPECT_LT(packet->fd_count, 4U);
}

TEST(Channel, APacketLongerThanTheBufferIsInvalidConsumedAndItsDescriptorsClosed) {
  const Pair pair = make_pair();
  const auto files = make_files(2);
  ASSERT_EQ(send_packet(pair.a.get(), bytes_of("longer than four"), numbers(files)), Status::Ok);
  ASSERT_EQ(send_packet(pair.a.get(), bytes_of("next")), Status::Ok);
  const std::size_t before = open_descriptors();
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(receive_packet(pair.b.get(), buffer, kMaxPacketFds).status(), Status::Invalid);
  EXPECT_EQ(open_descriptors(), before);
  const auto next = receive_packet(pair.b.get(), buffer, 0);
  ASSERT_TRUE(next);
  EXPECT_EQ(std::memcmp(buffer.data(), "next", 4), 0);
}

TEST(Channel, NothingThereIsBusyAndNeverBlocks) {
  const Pair pair = make_pair();
  std::array<std::byte, 8> buffer{};
  EXPECT_EQ(receive_packet(pair.a.get(), buffer, 0).status(), Status::Busy);
}

TEST(Channel, AFullQueueIsBusyAndNothingOfThePacketWasSent) {
  const Pair pair = make_pair();
  const std::vector<std::byte> packet(1024);
  Status status = Status::Ok;
  std::size_t sent = 0;
  while ((status = send_packet(pair.a.get(), packet)) == Status::Ok) ++sent;
  EXPECT_EQ(status, Status::Busy);
  EXPECT_GT(sent, 0U);
  std::vector<std::byte> buffer(2048);
  std::size_t received = 0;
  for (auto got = receive_packet(pair.b.get(), buffer, 0); got;
       got = receive_packet(pair.b.get(), buffer, 0)) {
    ASSERT_EQ(got->bytes, 1024U);
    ++received;
  }
  EXPECT_EQ(received, sent);
  EXPECT_EQ(send_packet(pair.a.get(), packet), Status::Ok) << "room again";
}

TEST(Channel, APeerThatClosedIsGone) {
  Pair pair = make_pair();
  ASSERT_EQ(send_packet(pair.a.get(), bytes_of("last words")), Status::Ok);
  pair.a.reset();
  std::array<std::byte, 64> buffer{};
  const auto last = receive_packet(pair.b.get(), buffer, 0);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->bytes, 10U);
  const auto end = receive_packet(pair.b.get(), buffer, 0);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->bytes, 0U);
  EXPECT_EQ(send_packet(pair.b.get(), bytes_of("hello?")), Status::Gone) << "and no SIGPIPE";
}

TEST(Channel, APeerThatClosedWithoutReadingIsGone) {
  Pair pair = make_pair();
  ASSERT_EQ(send_packet(pair.b.get(), bytes_of("unread")), Status::Ok);
  pair.a.reset();
  std::array<std::byte, 64> buffer{};
  const auto end = receive_packet(pair.b.get(), buffer, 0);
  EXPECT_TRUE(end ? end->bytes == 0 : end.status() == Status::Gone);
}

TEST(Channel, ADatagramPeerThatClosedIsGone) {
  Pair pair = make_pair(SOCK_DGRAM);
  pair.a.reset();
  EXPECT_EQ(send_packet(pair.b.get(), bytes_of("hello?")), Status::Gone);
}

TEST(Channel, MoreDescriptorsThanAPacketHoldsAreInvalid) {
  const Pair pair = make_pair();
  const auto files = make_files(kMaxPacketFds + 1);
  EXPECT_EQ(send_packet(pair.a.get(), bytes_of("x"), numbers(files)), Status::Invalid);
}

TEST(ControlLink, TagsItsRequestsAndBelievesNoPacketOfAnotherSize) {
  Pair pair = make_pair();
  ControlLink link(std::move(pair.a));
  Message request;
  request.type = MessageType::SealSystem;
  const auto first = link.send(request);
  const auto second = link.send(request);
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);

  Message reply;
  reply.type = MessageType::Reply;
  reply.tag = *second;
  ASSERT_EQ(send_packet(pair.b.get(), std::as_bytes(std::span(&reply, 1))), Status::Ok);
  const auto incoming = link.receive();
  ASSERT_TRUE(incoming);
  EXPECT_EQ(incoming->message.tag, *second);
  EXPECT_EQ(link.receive().status(), Status::Busy);

  ASSERT_EQ(send_packet(pair.b.get(), std::as_bytes(std::span(&reply, 1)).first(191)), Status::Ok);
  EXPECT_EQ(link.receive().status(), Status::Broken) << "short";
  std::array<std::byte, 193> longer{};
  ASSERT_EQ(send_packet(pair.b.get(), longer), Status::Ok);
  EXPECT_FALSE(link.receive()) << "long";
  pair.b.reset();
  EXPECT_EQ(link.receive().status(), Status::Gone);
}

TEST(Mapping, RefusesAFileOfAnotherSizeThanWasAgreed) {
  const Fd file(::memfd_create("region", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), 8192), 0);
  EXPECT_TRUE(Mapping::map(file.get(), 8192));
  EXPECT_EQ(Mapping::map(file.get(), 16384).status(), Status::Invalid) << "a SIGBUS that waits";
  EXPECT_EQ(Mapping::map(file.get(), 4096).status(), Status::Invalid);
  EXPECT_EQ(Mapping::map(file.get(), 0).status(), Status::Invalid);
  EXPECT_EQ(Mapping::map(-1, 4096).status(), Status::IoError);
}

TEST(Mapping, IsSharedMovableAndEndsWithItsOwner) {
  const Fd file(::memfd_create("region", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  auto first = Mapping::map(file.get(), 4096);
  auto second = Mapping::map(file.get(), 4096);
  ASSERT_TRUE(first && second);
  first->data()[17] = std::byte{42};
  EXPECT_EQ(second->data()[17], std::byte{42});
  Mapping moved = std::move(*second);
  EXPECT_FALSE(*second);  // NOLINT(bugprone-use-after-move): what is left behind is empty
  EXPECT_EQ(moved.data()[17], std::byte{42});
  moved.reset();
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace cede
