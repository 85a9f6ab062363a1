// SPDX-License-Identifier: Apache-2.0
// What a QEMU that its guest has taken over does to whoever holds an eventfd open together with it
// (tests/unit/protocols/doorbell_hang_test.cc shows that it works), and fails to do to the host's
// ends of a bell device. Needs root.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "tests/support/ivshmem_peer.h"
#include "tests/support/trapped_page.h"
#include "vmm/qemu/ivshmem_server.h"

namespace cede::qemu {
namespace {

TEST(EventfdHang, AQemuStuckInWaitingHangsNeitherBellsNorTheirEnd) {
  test::BellSocket socket;
  Result<IvshmemEnds> made =
      IvshmemServer::make(std::move(socket.server), test::make_region(4096).get(), 1);
  ASSERT_TRUE(made);
  std::optional<IvshmemEnds> ends = *std::move(made);
  std::optional<test::IvshmemPeer> qemu;
  test::Attacker attacker(
      [&](void* page) {
        qemu.emplace(socket.client.get());
        socket.client.reset();
        ends.reset();
        const int set = ::epoll_create1(EPOLL_CLOEXEC);
        for (const int fd : {qemu->vector(0), qemu->doorbell(0)}) {
          ::eventfd_write(fd, UINT64_MAX - 1);
          ::fcntl(fd, F_SETFL, 0);
          epoll_event event{};
          event.events = EPOLLIN;
          ::epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
        }
        ::epoll_wait(set, static_cast<epoll_event*>(page), 2, -1);
      },
      // Whoever closes them last hangs. If nobody else has them, that is this thread.
      [&] { std::thread([&] { qemu.reset(); }).detach(); });
  ASSERT_TRUE(attacker.ready());
  test::Process victim([&] {
    for (int i = 0; i < 100; ++i, ::usleep(1000)) {
      (void)ends->interrupts[0].ring();
      ends->doorbells[0].clear();
    }
    socket.client.reset();
    ends.reset();
  });
  socket.client.reset();
  ends.reset();
  EXPECT_TRUE(victim.exits_within(test::kReturns));
  attacker.kill();
}

}  // namespace
}  // namespace cede::qemu
