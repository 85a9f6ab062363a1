// SPDX-License-Identifier: Apache-2.0
// What of the shim needs root to be seen: whom it becomes, and a QEMU that blocks for ever.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <csignal>

#include "tests/support/shim_program.h"
#include "tests/support/trapped_page.h"

namespace cede::qemu {
namespace {

constexpr Handle kSession{.index = 1, .generation = 1};

TEST(ShimAsRoot, ServesAsNobodyWithoutPrivilegesOrFiles) {
  test::ShimProgram shim(1, {"--uid", "65534", "--gid", "65534"});
  shim.boot();
  const test::ClientEnds client = shim.connect(kSession);
  EXPECT_EQ(shim.status("Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(shim.status("Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(shim.status("Groups"), "");
  EXPECT_EQ(shim.status("CapEff"), "0000000000000000");
  EXPECT_EQ(shim.status("NoNewPrivs"), "1");
  EXPECT_EQ(shim.status("Seccomp"), "2");
  const std::string process = "/proc/" + std::to_string(shim.process().pid());
  EXPECT_TRUE(std::filesystem::is_empty(process + "/root"));
  struct stat memory {};
  ASSERT_EQ(::stat((process + "/mem").c_str(), &memory), 0);
  EXPECT_EQ(memory.st_uid, 0U) << "not dumpable: nobody else of its user can look into it";

  // All of a session's calls are within what the sandbox allows.
  client.ring();
  EXPECT_TRUE(test::readable(shim.device().vector(0), test::kPatience));
  (void)shim.tell(MessageType::Closing, kSession);
  shim.hear(MessageType::Closing);
  shim.say(MessageType::Release, kSession);
  shim.unplug();
  shim.expect(MessageType::Release, kSession);
  shim.close_broker();
  EXPECT_EQ(shim.ended(), 0) << shim.log();
}

TEST(ShimAsRoot, AQemuStuckInWaitingForItsEventfdsHoldsUpNobody) {
  test::ShimProgram shim(1);
  shim.boot();
  const test::ClientEnds client = shim.connect(kSession);
  test::Attacker attacker([&](void* page) {
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    for (const int fd : {shim.device().vector(0), shim.device().doorbell(0)}) {
      ::eventfd_write(fd, UINT64_MAX - 1);
      ::fcntl(fd, F_SETFL, 0);
      epoll_event event{};
      event.events = EPOLLIN;
      ::epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    }
    ::epoll_wait(set, static_cast<epoll_event*>(page), 2, -1);
  });
  ASSERT_TRUE(attacker.ready());
  for (int i = 0; i < 100; ++i) client.ring();
  shim.say(MessageType::Close, kSession);
  shim.expect(MessageType::Close, kSession);
  shim.process().signal(SIGTERM);
  EXPECT_EQ(shim.ended(), 0) << shim.log();
  attacker.kill();
}

}  // namespace
}  // namespace cede::qemu
