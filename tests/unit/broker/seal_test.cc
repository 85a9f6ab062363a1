// SPDX-License-Identifier: Apache-2.0
// What a client can do to a region it gave away: before the seal it can spoil its own session,
// afterwards nothing. Tried from another process under another uid, as a client is.
#include <sys/sendfile.h>
#include <sys/uio.h>

#include <array>

#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

// Runs in the attacker; returns what the call returned, errno as it left it.
struct Attack {
  const char* name;
  int expected;  // errno
  long (*run)(int region, std::byte* mapping, std::size_t size);
};

off_t length(std::size_t size) {
  return static_cast<off_t>(size);
}

long reopen(int region, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(region);
  return ::open(path.c_str(), flags | O_CLOEXEC);
}

constexpr auto kAttacks = std::to_array<Attack>({
    {"truncate to nothing", EPERM, [](int fd, std::byte*, std::size_t) -> long { return ::ftruncate(fd, 0); }},
    {"truncate by a page", EPERM,
     [](int fd, std::byte*, std::size_t size) -> long { return ::ftruncate(fd, length(size) - 4096); }},
    {"grow", EPERM,
     [](int fd, std::byte*, std::size_t size) -> long { return ::ftruncate(fd, 2 * length(size)); }},
    {"open with O_TRUNC", EPERM,
     [](int fd, std::byte*, std::size_t) -> long { return reopen(fd, O_RDWR | O_TRUNC); }},
    {"allocate past the end", EPERM,
     [](int fd, std::byte*, std::size_t size) -> long { return ::fallocate(fd, 0, length(size), 4096); }},
    {"punch a hole", EPERM,
     [](int fd, std::byte*, std::size_t) -> long {
       return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
     }},
    {"MADV_REMOVE", EPERM,
     [](int, std::byte* mapping, std::size_t) -> long { return ::madvise(mapping, 4096, MADV_REMOVE); }},
    {"pwrite", EPERM,
     [](int fd, std::byte*, std::size_t) -> long { return ::pwrite(fd, "x", 1, 0); }},
    {"pwritev at the end", EPERM,
     [](int fd, std::byte*, std::size_t size) -> long {
       char x = 'x';
       const iovec one{&x, 1};
       return ::pwritev(fd, &one, 1, length(size) - 1);
     }},
    {"write after reopening", EPERM,
     [](int fd, std::byte*, std::size_t) -> long {
       return ::write(static_cast<int>(reopen(fd, O_RDWR)), "x", 1);
     }},
    {"copy_file_range onto itself", EPERM,
     [](int fd, std::byte*, std::size_t) -> long {
       off_t from = 0;
       off_t to = 8192;
       return ::copy_file_range(fd, &from, fd, &to, 4096, 0);
     }},
    {"splice from a pipe", EPERM,
     [](int fd, std::byte*, std::size_t) -> long {
       int pipe[2];
       if (::pipe(pipe) != 0 || ::write(pipe[1], "x", 1) != 1) return 0;
       off_t to = 0;
       return ::splice(pipe[0], nullptr, fd, &to, 1, 0);
     }},
    {"a new writable mapping", EPERM,
     [](int fd, std::byte*, std::size_t size) -> long {
       return reinterpret_cast<long>(
           ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
     }},
    {"a readable mapping made writable", EACCES,
     [](int fd, std::byte*, std::size_t size) -> long {
       void* readable = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
       if (readable == MAP_FAILED) return 0;
       return ::mprotect(readable, size, PROT_READ | PROT_WRITE);
     }},
    {"seal against writing", EPERM,
     [](int fd, std::byte*, std::size_t) -> long { return ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE); }},
    {"one more seal", EPERM,
     [](int fd, std::byte*, std::size_t) -> long { return ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK); }},
});

struct Outcome {
  long result = 0;
  int error = 0;
};

// Each attack by a process of its own that nobody can be.
std::array<Outcome, kAttacks.size()> attack_as_nobody(const SessionSide& side) {
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* outcomes = static_cast<Outcome*>(shared);
  for (std::size_t i = 0; i < kAttacks.size(); ++i) {
    const pid_t attacker = ::fork();
    if (attacker == 0) {
      if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)
        ::_exit(1);
      errno = 0;
      outcomes[i].result =
          kAttacks[i].run(side.fds.region.get(), side.mapping.data(), side.mapping.size());
      outcomes[i].error = errno;
      ::_exit(0);
    }
    ::waitpid(attacker, nullptr, 0);
  }
  std::array<Outcome, kAttacks.size()> copy{};
  std::copy_n(outcomes, copy.size(), copy.begin());
  ::munmap(shared, 4096);
  return copy;
}

using SealTest = BrokerTest;

TEST_P(SealTest, AfterConnectedTheClientCanTakeNothingBack) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(64));
  const std::size_t size = session.driver.mapping.size();
  std::fill_n(session.driver.mapping.data(), size, std::byte{0x5a});

  const auto outcomes = attack_as_nobody(session.client);
  for (std::size_t i = 0; i < kAttacks.size(); ++i) {
    SCOPED_TRACE(kAttacks[i].name);
    EXPECT_EQ(outcomes[i].result, -1);
    EXPECT_EQ(outcomes[i].error, kAttacks[i].expected);
  }

  struct stat status {};
  ASSERT_EQ(::fstat(session.driver.fds.region.get(), &status), 0);
  EXPECT_EQ(static_cast<std::size_t>(status.st_size), size);
  EXPECT_EQ(static_cast<std::size_t>(status.st_blocks) * 512, size);
  EXPECT_TRUE(std::all_of(session.driver.mapping.data(), session.driver.mapping.data() + size,
                          [](std::byte byte) { return byte == std::byte{0x5a}; }));
  // What both mapped before goes on working.
  session.client.mapping.data()[0] = std::byte{1};
  EXPECT_EQ(session.driver.mapping.data()[0], std::byte{1});
  close_session(*client_, *driver_, std::move(session));
}

// The same attacks, before the seal: some succeed, and each spoils nothing but the client's own
// session. This shows that the table above can fail.
TEST_P(SealTest, BeforeTheSealTheAttacksAreRealAndTheSessionIsRolledBack) {
  LiveSession session = connect_until_client_maps(*client_, *driver_, grant_, small_geometry(64));
  const auto outcomes = attack_as_nobody(session.client);
  const auto succeeded = std::count_if(outcomes.begin(), outcomes.end(),
                                       [](const Outcome& it) { return it.result != -1; });
  EXPECT_GE(succeeded, 7);
  // Those that write have filled the holes of those that punch; one more stays.
  ASSERT_EQ(::fallocate(session.client.fds.region.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        5 * 4096, 4096),
            0);
  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
  EXPECT_EQ(driver_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
  session.client.let_go();
  session.driver.let_go();
  (void)client_->request(MessageType::Release, session.handle);
  (void)driver_->request(MessageType::Release, session.handle);
  EXPECT_EQ(client_->await(MessageType::Closed, session.handle).message.status, Status::Broken);
  EXPECT_TRUE(all_home());
  EXPECT_EQ(root().account(*client_).pages, kClientPages);
}

TEST_P(SealTest, OneHoleIsEnoughToRollBack) {
  LiveSession session = connect_until_client_maps(*client_, *driver_, grant_, small_geometry(64));
  ASSERT_EQ(::fallocate(session.client.fds.region.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        63 * 4096, 4096),
            0);
  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
  EXPECT_FALSE(client_->has(MessageType::Connected));
  EXPECT_FALSE(driver_->has(MessageType::Connected));
}

TEST_P(SealTest, AClientThatSealsFirstAsTheBrokerWouldIsConnected) {
  LiveSession session = connect_until_client_maps(*client_, *driver_, grant_, small_geometry(64));
  ASSERT_EQ(
      ::fcntl(session.client.fds.region.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL), 0);
  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  (void)client_->await(MessageType::Connected, session.handle);
}

TEST_P(SealTest, AClientThatSealsTheBrokerOutIsRolledBack) {
  LiveSession session = connect_until_client_maps(*client_, *driver_, grant_, small_geometry(64));
  EXPECT_EQ(::fcntl(session.client.fds.region.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_EQ(errno, EBUSY) << "the driver's mapping does not protect it";
  ASSERT_EQ(::fcntl(session.client.fds.region.get(), F_ADD_SEALS, F_SEAL_SEAL), 0);
  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  EXPECT_EQ(client_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
}

INSTANTIATE_TEST_SUITE_P(Both, SealTest, testing::Values(Proof::Cgroup, Proof::Word), proof_name);

}  // namespace
}  // namespace cede::test
