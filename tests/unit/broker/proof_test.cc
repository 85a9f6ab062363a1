// SPDX-License-Identifier: Apache-2.0
// Who pays, and when the kernel says that nobody holds the pages any more. Needs root.
#include <liburing.h>
#include <signal.h>

#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

class ProofTest : public BrokerTest {
 protected:
  // Looked at for as long as the broker needs for several looks of its own.
  void expect_still_draining() {
    for (int i = 0; i < 30; ++i) {
      const auto rows = root().inspect(MessageType::InspectSession);
      ASSERT_EQ(rows.size(), 1U);
      ASSERT_EQ(rows[0].state, static_cast<std::uint8_t>(SessionState::Draining));
      ASSERT_EQ(root().account(*client_).in_sessions, rows[0].pages);
      ::usleep(10000);
    }
  }
  // Large enough for the kernel to publish every change at once.
  static constexpr std::uint32_t kPages = 2048;
};

TEST_P(ProofTest, TheClientIsChargedInASessionOfItsOwn) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(64));
  EXPECT_EQ(shmem_of(cgroup_of(*client_, session.handle)), 64 * kPageBytes);
  EXPECT_EQ(shmem_of(cgroup_of(*driver_)), 0U);
  close_session(*client_, *driver_, std::move(session));
  EXPECT_NE(::access(cgroup_of(*client_, session.handle).c_str(), F_OK), 0);
  EXPECT_EQ(::access(cgroup_of(*client_).c_str(), F_OK), 0);
}

TEST_P(ProofTest, ATinyRegionIsChargedAndProvenToo) {
  const Geometry tiny{.pages = 2, .rings = 1, .slot_bytes = 64, .slots = 32};
  LiveSession session = connect_session(*client_, *driver_, grant_, tiny);
  close_session(*client_, *driver_, std::move(session));
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, WaitsForTheDriversMapping) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(kPages));
  session.client.let_go();
  session.driver.fds = {};
  say_released(session.handle);
  expect_still_draining();
  session.driver.let_go();
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, WaitsForTheClientsMapping) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(kPages));
  session.driver.let_go();
  session.client.fds = {};
  say_released(session.handle);
  expect_still_draining();
  session.client.let_go();
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, WaitsForADescriptorParkedInASocket) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(kPages));
  int parking[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, parking), 0);
  Fd left(parking[0]);
  Fd right(parking[1]);
  const int region = session.client.fds.region.get();
  ASSERT_EQ(send_packet(left.get(), std::as_bytes(std::span("x", 1)), std::span(&region, 1)),
            Status::Ok);
  session.client.let_go();
  session.driver.let_go();
  say_released(session.handle);
  expect_still_draining();
  left.reset();
  right.reset();
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, WaitsForPagesThatIoUringPins) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(kPages));
  io_uring ring;
  ASSERT_EQ(::io_uring_queue_init(4, &ring, 0), 0);
  const iovec all{session.driver.mapping.data(), session.driver.mapping.size()};
  ASSERT_EQ(::io_uring_register_buffers(&ring, &all, 1), 0);
  session.client.let_go();
  session.driver.let_go();
  say_released(session.handle);
  expect_still_draining();
  ::io_uring_queue_exit(&ring);
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, WaitsForAProcessThatWasForkedOffWithTheRegion) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(kPages));
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  session.client.let_go();
  session.driver.let_go();
  say_released(session.handle);
  expect_still_draining();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(all_home());
}

TEST_P(ProofTest, HolesFilledAgainBeforeTheSealAreFoundAtTheCharge) {
  LiveSession session =
      connect_until_client_maps(*client_, *driver_, grant_, small_geometry(kPages));
  const int region = session.client.fds.region.get();
  const auto half = static_cast<off_t>(session.geometry.bytes() / 2);
  ASSERT_EQ(::fallocate(region, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, half, half), 0);
  ASSERT_EQ(::fallocate(region, 0, half, half), 0);  // charged to this process
  ASSERT_EQ(client_->status_of(MessageType::Mapped, session.handle), Status::Ok);
  EXPECT_EQ(driver_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
  EXPECT_EQ(client_->await(MessageType::Closing, session.handle).message.status, Status::Broken);
  session.driver.let_go();
  session.client.let_go();
  EXPECT_TRUE(all_home());
}

// The client's own limit, which its supervisor set.
class LimitTest : public ProofTest {
 protected:
  [[nodiscard]] bool limit(const Domain& domain, std::uint64_t bytes) const {
    for (const char* name : {"/memory.limit_in_bytes", "/memory.max"}) {
      std::ofstream file(cgroup_of(domain) + name, std::ios::in);
      if (file && file << bytes << std::flush) return true;
    }
    return false;
  }
};

TEST_P(LimitTest, MetEndsTheConnectWithNoMemoryAndNobodyElse) {
  // Another process of the client's, larger than the one that populates.
  const pid_t bystander = ::fork();
  if (bystander == 0) {
    std::ofstream(cgroup_of(*client_) + "/run/cgroup.procs") << "0" << std::flush;
    std::vector<char> memory(std::size_t{16} << 20, 1);
    ::pause();
    ::_exit(memory[0]);
  }
  ASSERT_TRUE(eventually([this] {
    std::ifstream usage(cgroup_of(*client_) + "/run/memory.stat");
    std::string name;
    std::uint64_t bytes = 0;
    while (usage >> name >> bytes && name != "active_anon" && name != "inactive_anon") {
    }
    std::uint64_t anon = 0;
    do {
      if (name == "active_anon" || name == "inactive_anon") anon += bytes;
    } while (usage >> name >> bytes);
    return anon >= (std::uint64_t{15} << 20);  // the kernel counts the last pages late
  }));
  ASSERT_TRUE(limit(*client_, std::uint64_t{60} << 20));

  const auto session = client_->connect(grant_, small_geometry(16384));  // 64 MiB
  ASSERT_TRUE(session);
  EXPECT_EQ(client_->await(MessageType::Closed, *session).message.status, Status::NoMemory);
  EXPECT_TRUE(all_home());
  EXPECT_FALSE(driver_->has(MessageType::Offer));
  EXPECT_EQ(::kill(bystander, 0), 0);
  EXPECT_EQ(::waitpid(bystander, nullptr, WNOHANG), 0) << "the client's process was killed";
  ::kill(bystander, SIGKILL);
  ::waitpid(bystander, nullptr, 0);

  // And what fits still connects.
  close_session(*client_, *driver_,
                connect_session(*client_, *driver_, grant_, small_geometry(256)));
}

TEST_P(ProofTest, APopulationThatHangsDelaysNobodyElseAndTimesOut) {
  start({"--connect-deadline-ms", "1500"});
  client_ = std::make_unique<Domain>(root().create_child(1U << 16, "large"));
  grant_ = root().grant(*client_, *driver_, 9, "large/vda");
  Domain other = root().create_child(1000, "bob");
  const Handle other_grant = root().grant(other, *driver_, 8, "bob/vda");

  const auto stuck = client_->connect(grant_, small_geometry(1U << 16));
  ASSERT_TRUE(stuck);
  const std::string pid = std::to_string(broker_->pid());
  pid_t child = 0;
  ASSERT_TRUE(eventually([&] {
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    return static_cast<bool>(children >> child);
  })) << "it was populated before it could be stopped";
  ::kill(child, SIGSTOP);

  LiveSession served = connect_session(other, *driver_, other_grant, small_geometry(256));
  EXPECT_EQ(root().sessions(), 2U) << "the other was served only after the timeout";
  EXPECT_EQ(client_->await(MessageType::Closed, *stuck).message.status, Status::TimedOut);
  close_session(other, *driver_, std::move(served));
  EXPECT_TRUE(all_home());
}

INSTANTIATE_TEST_SUITE_P(Kernel, ProofTest, testing::Values(Proof::Cgroup), proof_name);
INSTANTIATE_TEST_SUITE_P(Kernel, LimitTest, testing::Values(Proof::Cgroup), proof_name);

}  // namespace
}  // namespace cede::test
