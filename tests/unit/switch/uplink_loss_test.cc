// SPDX-License-Identifier: Apache-2.0
// Uplinks that are deleted and put back behind the same descriptor, and a switch that can do
// nothing of the kind itself.
#include <algorithm>
#include <csignal>

#include "driver_vm/net/uplink.h"
#include "driver_vm/sandbox.h"
#include "tests/unit/switch/uplink_fixture.h"

namespace cede::test {
namespace {

TEST_F(SwitchUplink, ATapThatIsDeletedAndMadeAnewBehindTheDescriptor) {
  start_with_tap({port(1), port(2), port(3) + ",isolated"});
  expect_to_survive([&] { space_->must("ip link del tap0"); }, [&] { restore_tap(); });
}

TEST_F(SwitchUplink, AnInterfaceThatVanishesAndIsMadeAnew) {
  start_with_packet_socket({port(1), port(2), port(3) + ",isolated"});
  expect_to_survive([&] { space_->must("ip link del veth0"); },
                    [&] {
                      make_veth();
                      bind_uplink();
                    });
}

TEST_F(SwitchUplink, ASwitchThatStartsWhileItsUplinkIsAwayFindsItLater) {
  for (const bool tap : {true, false}) {
    const std::string name = tap ? "tap0" : "veth0";
    if (tap) {
      start_with_tap({port(1) + ",isolated"});
    } else {
      start_with_packet_socket({port(1) + ",isolated"});
    }
    space_->must("ip link del " + name);
    start({port(1) + ",isolated"}, tap ? "tap" : "packet", name);
    auto one = program_->connect(0, kLarge);
    one->post(32);
    EXPECT_EQ(one.info.link_up, 0U);
    if (tap) {
      restore_tap();
    } else {
      make_veth();
      bind_uplink();
    }
    EXPECT_EQ(await_link(*one.client, kDown), kUp.value());
    talk(*one.client);
  }
}

TEST_F(SwitchUplink, AnUplinkThatIsAwayLetsTheSwitchSleep) {
  for (const bool tap : {true, false}) {
    if (tap) {
      start_with_tap({port(1) + ",isolated"});
    } else {
      start_with_packet_socket({port(1) + ",isolated"});
    }
    auto one = program_->connect(0, kLarge);
    space_->must(tap ? "ip link del tap0" : "ip link del veth0");
    EXPECT_EQ(await_link(*one.client, kUp), kDown.value());
    const std::uint64_t before = program_->cpu_nanoseconds();
    ::usleep(2'500'000);
    EXPECT_LT(program_->cpu_nanoseconds() - before, 10'000'000U);
  }
}

// What a switch that somebody has taken over would try with its descriptors.
TEST_F(SwitchUplink, TheSandboxKnowsNoCallThatNamesAnotherInterface) {
  for (const auto kind : {driver::Uplink::Kind::Tap, driver::Uplink::Kind::Packet}) {
    const driver::DeviceCalls calls = driver::Uplink::calls(kind);
    for (const int call : {SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
                           SCMP_SYS(sendmmsg), SCMP_SYS(setsockopt), SCMP_SYS(ioctl)}) {
      EXPECT_EQ(std::ranges::count(calls.calls, call), 0) << call;
      EXPECT_EQ(std::ranges::count(calls.with_argument, call, &lockdown::CallWithArgument::call), 0)
          << call;
    }
  }
  start_with_packet_socket({port(1)});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  talk(*one.client);
  // In a process with the whole of the sandbox.
  const sockaddr_ll elsewhere{.sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = 1,
                              .sll_hatype = 0,
                              .sll_pkttype = 0,
                              .sll_halen = 6,
                              .sll_addr = {}};
  const Bytes frame(100);
  const int fd = uplink_.get();
  const auto in_sandbox = [&](const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      driver::enter_sandbox({}, driver::Uplink::calls(driver::Uplink::Kind::Packet));
      work();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  };
  const auto* const name = reinterpret_cast<const sockaddr*>(&elsewhere);
  constexpr int kKilled = 128 + SIGSYS;
  EXPECT_EQ(in_sandbox([&] { ::send(fd, frame.data(), frame.size(), 0); }), 0);
  EXPECT_EQ(in_sandbox([&] { ::sendto(fd, frame.data(), 100, 0, name, sizeof elsewhere); }),
            kKilled);
  msghdr message{};
  EXPECT_EQ(in_sandbox([&] { ::sendmsg(fd, &message, 0); }), kKilled);
  EXPECT_EQ(in_sandbox([&] { ::bind(fd, name, sizeof elsewhere); }), kKilled);
}

}  // namespace
}  // namespace cede::test
