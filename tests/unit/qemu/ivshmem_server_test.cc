// SPDX-License-Identifier: Apache-2.0
// The ivshmem server protocol, with the test as QEMU, as it should be and hostile.
#include "vmm/qemu/ivshmem_server.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <filesystem>

#include "protocols/ivshmem.h"
#include "tests/support/ivshmem_peer.h"

namespace cede::qemu {
namespace {

constexpr std::uint64_t kRegion = 4UL << 20;

ino_t inode(int fd) {
  struct stat info {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return info.st_ino;
}

std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

class IvshmemServerTest : public ::testing::Test {
 protected:
  struct Served : IvshmemEnds {
    Fd client;
  };
  [[nodiscard]] Served serve(unsigned bells = 1) const {
    test::BellSocket socket;
    Result<IvshmemEnds> ends = IvshmemServer::make(std::move(socket.server), region_.get(), bells);
    if (!ends) throw std::runtime_error(std::string(to_string(ends.status())));
    return {*std::move(ends), std::move(socket.client)};
  }
  Fd region_ = test::make_region(kRegion);
};

TEST_F(IvshmemServerTest, QueuesTheWholeSetUpInTheOrderOfTheSpecification) {
  for (const unsigned bells : {1U, 2U, kMaxBells}) {
    const Served ends = serve(bells);
    const test::IvshmemPeer peer(ends.client.get());
    ASSERT_EQ(peer.messages.size(), 3 + 2 * bells);
    EXPECT_EQ(peer.messages[0].value, 0) << "the version";
    EXPECT_FALSE(peer.messages[0].descriptor);
    EXPECT_EQ(peer.messages[1].value, kIvshmemGuest);
    EXPECT_FALSE(peer.messages[1].descriptor);
    EXPECT_EQ(peer.messages[2].value, -1);
    EXPECT_EQ(inode(peer.shared_memory()), inode(region_.get()));
    for (std::size_t i = 3; i < peer.messages.size(); ++i) {
      EXPECT_EQ(peer.messages[i].value, i < 3 + bells ? kIvshmemClients : kIvshmemGuest)
          << "own vectors last";
      EXPECT_TRUE(peer.messages[i].descriptor);
    }
    EXPECT_EQ(ends.interrupts.size(), bells);
    EXPECT_EQ(ends.doorbells.size(), bells);
  }
}

TEST_F(IvshmemServerTest, QemuIsToldWhereItsEndIs) {
  EXPECT_EQ(IvshmemServer::device_arguments(7, 64),
            (std::vector<std::string>{"-chardev", "socket,id=bells,fd=7", "-device",
                                      "ivshmem-doorbell,id=bells,chardev=bells,vectors=64"}));
}

TEST_F(IvshmemServerTest, BellsReachTheOtherEnd) {
  Served ends = serve(2);
  const test::IvshmemPeer peer(ends.client.get());
  EXPECT_FALSE(test::readable(peer.vector(0)));
  EXPECT_TRUE(ends.interrupts[0].ring());
  EXPECT_TRUE(test::readable(peer.vector(0)));
  EXPECT_FALSE(test::readable(peer.vector(1)));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(ends.interrupts[1].ring());
  std::uint64_t count = 0;
  ASSERT_EQ(::eventfd_read(peer.vector(1), &count), 0);
  EXPECT_EQ(count, 100U);

  EXPECT_FALSE(ends.doorbells[0].clear());
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(::eventfd_write(peer.doorbell(0), 1), 0);
    EXPECT_TRUE(test::readable(ends.doorbells[0].fd()));
    EXPECT_TRUE(ends.doorbells[0].clear());
    EXPECT_FALSE(test::readable(ends.doorbells[0].fd())) << "though nobody has read the eventfd";
  }
}

TEST_F(IvshmemServerTest, RefusesWhatWouldAbortOrKillQemu) {
  const auto status_of = [](const Fd& region, unsigned bells = 1) {
    test::BellSocket socket;
    return IvshmemServer::make(std::move(socket.server), region.get(), bells).status();
  };
  EXPECT_EQ(status_of(test::make_region(3UL << 20)), Status::Invalid) << "not a power of two";
  EXPECT_EQ(status_of(test::make_region(0)), Status::Invalid);
  EXPECT_EQ(status_of(test::make_region(2048)), Status::Invalid);
  EXPECT_EQ(status_of(test::make_region(kRegion, 0)), Status::Invalid) << "could be truncated";
  EXPECT_EQ(status_of(test::make_region(kRegion, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE)),
            Status::WrongState);
  EXPECT_EQ(status_of(Fd()), Status::IoError);
  EXPECT_EQ(status_of(region_, 0), Status::Invalid);
  EXPECT_EQ(status_of(region_, kMaxBells + 1), Status::Invalid);
}

TEST_F(IvshmemServerTest, AQemuThatIsGoneBeforeItsSetUpIsNoticed) {
  test::BellSocket socket;
  socket.client.reset();
  EXPECT_EQ(IvshmemServer::make(std::move(socket.server), region_.get(), 1).status(), Status::Gone);
}

TEST_F(IvshmemServerTest, KeepsNoEventfdOpen) {
  const std::size_t before = open_files();
  const Served ends = serve(2);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string file = std::filesystem::read_symlink(entry.path(), gone).string();
    EXPECT_EQ(file.find("[eventfd]"), std::string::npos) << file;
  }
  EXPECT_EQ(open_files() - before, 7U) << "2 ends, 3 epoll sets, 2 io_urings";
}

TEST_F(IvshmemServerTest, LeavesNothingBehind) {
  (void)serve();
  const std::size_t before = open_files();
  for (int i = 0; i < 100; ++i) {
    Served ends = serve(2);
    EXPECT_TRUE(ends.interrupts[0].ring());
  }
  EXPECT_EQ(open_files(), before);
}

TEST_F(IvshmemServerTest, SeesThatItsClientHasGone) {
  Served ends = serve();
  EXPECT_FALSE(ends.server.client_gone());
  EXPECT_FALSE(test::readable(ends.server.fd()));
  ends.client.reset();  // with everything unread
  EXPECT_TRUE(test::readable(ends.server.fd()));
  EXPECT_TRUE(ends.server.client_gone());
  EXPECT_TRUE(ends.interrupts[0].ring()) << "and it does no harm";
  EXPECT_FALSE(ends.doorbells[0].clear());
}

TEST_F(IvshmemServerTest, AClientThatClosesInTheMiddleOfAMessageIsNoProblem) {
  Served ends = serve();
  char half[4];
  ASSERT_EQ(::recv(ends.client.get(), half, sizeof half, MSG_DONTWAIT), 4);
  ends.client.reset();
  EXPECT_TRUE(ends.server.client_gone());
}

TEST_F(IvshmemServerTest, TheClientCannotSendAnything) {
  const Served ends = serve();
  const char junk[3] = {};
  EXPECT_EQ(::send(ends.client.get(), junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EPIPE);
  const int smuggled = region_.get();
  EXPECT_EQ(send_packet(ends.client.get(), std::as_bytes(std::span(junk)), std::span(&smuggled, 1)),
            Status::Gone);
  EXPECT_FALSE(ends.server.client_gone());
  EXPECT_EQ(test::IvshmemPeer(ends.client.get()).messages.size(), 5U) << "it can still read";
}

// What a hostile QEMU does to hang whoever writes or reads an eventfd with it. ctest's limit is the
// judge.
TEST_F(IvshmemServerTest, ASaturatedBlockingEventfdHangsNobody) {
  Served ends = serve();
  const test::IvshmemPeer peer(ends.client.get());
  for (const int fd : {peer.vector(0), peer.doorbell(0)}) {
    ASSERT_EQ(::eventfd_write(fd, UINT64_MAX - 1), 0);
    ASSERT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  }
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(ends.interrupts[0].ring());
  EXPECT_TRUE(ends.doorbells[0].clear());
  EXPECT_FALSE(ends.doorbells[0].clear());

  for (const int fd : {peer.vector(0), peer.doorbell(0)}) {
    std::uint64_t all = 0;
    ASSERT_EQ(::eventfd_read(fd, &all), 0);  // empty, and blocking
  }
  EXPECT_FALSE(ends.doorbells[0].clear());
  EXPECT_TRUE(ends.interrupts[0].ring());
  EXPECT_TRUE(test::readable(peer.vector(0))) << "it works again";
}

TEST_F(IvshmemServerTest, EventfdsWatchedTooOftenStillRing) {
  Served ends = serve();
  const test::IvshmemPeer peer(ends.client.get());
  std::vector<Fd> sets;
  for (int i = 0; i < 200; ++i) {
    sets.emplace_back(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    for (const int fd : {peer.vector(0), peer.doorbell(0)}) {
      ASSERT_EQ(::epoll_ctl(sets.back().get(), EPOLL_CTL_ADD, fd, &event), 0);
    }
  }
  EXPECT_TRUE(ends.interrupts[0].ring());
  EXPECT_TRUE(test::readable(peer.vector(0)));
  ASSERT_EQ(::eventfd_write(peer.doorbell(0), 1), 0);
  EXPECT_TRUE(ends.doorbells[0].clear());
}

}  // namespace
}  // namespace cede::qemu
