// SPDX-License-Identifier: Apache-2.0
// The interfaces of a description against those of the kernel, as root, in a network namespace of
// the test's own.
#include "vmm/supervisor/interfaces.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <string>

#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {
namespace {

void sh(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
}

// What is logged meanwhile, without times and levels.
class Log {
 public:
  static std::string of(const std::function<void()>& work) {
    std::ostringstream text;
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(text);
    const auto usual = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("log", sink));
    spdlog::set_pattern("%v");
    work();
    spdlog::set_default_logger(usual);
    return text.str();
  }
};

void expect_back(OpenInterface& interface) {
  EXPECT_EQ(Log::of([&] { restore(interface, "it"); }), "it is gone\nit is there again\n");
  EXPECT_EQ(Log::of([&] { restore(interface, "it"); }), "");
}

class InterfacesTest : public testing::Test {
 protected:
  // Nothing of the host's is seen or touched, and all is gone with the process.
  static void SetUpTestSuite() {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
    sh("ip link set lo up");
  }
  // A second namespace, that of a process.
  void SetUp() override {
    holder_ = ::fork();
    if (holder_ == 0) {
      if (::unshare(CLONE_NEWNET) != 0) ::_exit(1);
      while (true) ::pause();
    }
    elsewhere_ = fmt::format("/proc/{}/ns/net", holder_);
    const auto ours = std::filesystem::read_symlink("/proc/self/ns/net");
    while (std::filesystem::read_symlink(elsewhere_) == ours) ::usleep(1000);
  }
  void there(const std::string& command) const {
    sh(fmt::format("nsenter --net={} sh -c \"{}\"", elsewhere_, command));
  }
  void TearDown() override {
    ::kill(holder_, SIGKILL);
    ::waitpid(holder_, nullptr, 0);
    (void)std::system("ip link delete up0 2>/dev/null");
  }

  // `driver` are lines for the switch, `device` for its one port.
  System describe(const std::string& driver, const std::string& device = "") {
    Problems problems;
    System system = parse_system(
        fmt::format("name = \"demo\"\nbudget = \"64M\"\n[[driver]]\nname = \"sw0\"\nkind = "
                    "\"net\"\n{}\n[[client]]\nname = \"alice\"\naccount = \"32M\"\n"
                    "[[client.device]]\nname = \"eth0\"\ndriver = \"sw0\"\nmac = "
                    "\"52:54:00:00:00:01\"\n{}",
                    driver, device),
        "/f", problems);
    EXPECT_EQ(lines(problems), "");
    return system;
  }
  static std::string problems_with(const System& system) {
    Problems looking;
    check_interfaces(system, looking);
    Problems opening;
    (void)open_interfaces(system, opening);
    EXPECT_EQ(lines(looking), lines(opening)) << "a look finds what opening finds";
    return lines(opening);
  }

  pid_t holder_ = -1;
  std::string elsewhere_;
};

TEST_F(InterfacesTest, AnUplinkTapIsMadeWithItsAddressAndGoesWithItsDescriptor) {
  const System system =
      describe("uplink = { tap = \"up0\", address = \"10.1.2.3/20\" }\nmtu = 9000");
  Problems problems;
  {
    Interfaces interfaces = open_interfaces(system, problems);
    EXPECT_EQ(lines(problems), "");
    EXPECT_EQ(interfaces.uplinks[0].mtu, 9000U);
    ASSERT_TRUE(interfaces.uplinks[0].interface);
    EXPECT_EQ(interface_mtu("up0"), 9000U);
    sh("ip addr show up0 | grep -q 'inet 10.1.2.3/20'");
    sh("ip link show up0 | grep -q '[<,]UP[,>]'");
    EXPECT_EQ(
        problems_with(system),
        "f:6:18: there is an interface 'up0' already; choose another name, or: ip link delete "
        "up0\n");
    const std::string before = Log::of([&] { restore(interfaces.uplinks[0].interface, "it"); });
    EXPECT_EQ(before, "") << "it is there";
    sh("ip link delete up0");
    expect_back(interfaces.uplinks[0].interface);
    EXPECT_EQ(interface_mtu("up0"), 9000U);
    sh("ip addr show up0 | grep -q 'inet 10.1.2.3/20'");
    sh("ip link show up0 | grep -q '[<,]UP[,>]'");
  }
  EXPECT_FALSE(interface_index("up0"));
}

TEST_F(InterfacesTest, LookingMakesNothing) {
  const System system = describe("uplink = { tap = \"up0\" }", "tap = \"alice0\"");
  Problems problems;
  check_interfaces(system, problems);
  EXPECT_EQ(lines(problems), "");
  EXPECT_FALSE(interface_index("up0"));
  EXPECT_FALSE(interface_index("alice0"));
}

TEST_F(InterfacesTest, AClientsTapHasThePortsAddressAndTheSwitchsMtu) {
  const System system = describe("mtu = 2000", "tap = \"alice0\"\nqueues = 3");
  Problems problems;
  const Interfaces interfaces = open_interfaces(system, problems);
  EXPECT_EQ(lines(problems), "");
  EXPECT_FALSE(interfaces.uplinks[0].interface);
  ASSERT_EQ(interfaces.taps[0][0].fds.size(), 3U);
  EXPECT_EQ(interface_mtu("alice0"), 2000U);
  sh("ip link show alice0 | grep -q 52:54:00:00:00:01");
}

TEST_F(InterfacesTest, AVmsPortHasNoTap) {
  Problems problems;
  const Interfaces interfaces = open_interfaces(describe(""), problems);
  EXPECT_FALSE(interfaces.taps[0][0]);
  EXPECT_EQ(interfaces.uplinks[0].mtu, kDefaultMtu);
}

TEST_F(InterfacesTest, AnInterfaceGivesItsMtu) {
  sh("ip link add up0 mtu 1400 type veth peer name up1 && ip link set up0 up");
  Problems problems;
  const Interfaces interfaces =
      open_interfaces(describe("uplink = { interface = \"up0\" }"), problems);
  EXPECT_EQ(lines(problems), "");
  EXPECT_EQ(interfaces.uplinks[0].mtu, 1400U);
  EXPECT_TRUE(interfaces.uplinks[0].interface);
}

TEST_F(InterfacesTest, AnInterfaceThatIsNotThereIsAProblem) {
  EXPECT_EQ(problems_with(describe("uplink = { interface = \"up0\" }")),
            "f:6:24: there is no interface 'up0'; name one that ip link shows, or use a TAP\n");
}

TEST_F(InterfacesTest, AMtuAboveOrBelowTheUplinksIsAProblem) {
  sh("ip link add up0 mtu 1500 type veth peer name up1 && ip link set up0 up");
  EXPECT_EQ(problems_with(describe("uplink = { interface = \"up0\" }\nmtu = 9000")),
            "f:7:7: the uplink 'up0' takes a MTU of 1500 at most; write mtu = 1500, leave it out, "
            "or: ip link set up0 mtu 9000\n");
  EXPECT_EQ(problems_with(describe("uplink = { interface = \"up0\" }\nmtu = 1280")),
            "f:7:7: the uplink 'up0' has a MTU of 1500: longer frames than these ports take would "
            "come in; write mtu = 1500, leave it out, or: ip link set up0 mtu 1280\n");
  EXPECT_EQ(problems_with(describe("uplink = { interface = \"up0\" }\nmtu = 1500")), "");
}

TEST_F(InterfacesTest, ALostTapIsMadeAnewWithAllItsQueuesInItsNamespace) {
  const System system = describe(
      "mtu = 2000",
      fmt::format("tap = \"alice0\"\nqueues = 3\naddress = \"10.9.9.9/24\"\nnetns = \"{}\"",
                  elsewhere_));
  Problems problems;
  Interfaces interfaces = open_interfaces(system, problems);
  ASSERT_EQ(lines(problems), "");
  OpenInterface& tap = interfaces.taps[0][0];
  there("ip link delete alice0");
  for (const Fd& queue : tap.fds) EXPECT_TRUE(tap_is_lost(queue.get()));
  expect_back(tap);
  for (const Fd& queue : tap.fds) {
    ifreq request{};
    ASSERT_EQ(::ioctl(queue.get(), TUNGETIFF, &request), 0);
    EXPECT_STREQ(request.ifr_name, "alice0");
    EXPECT_EQ(request.ifr_flags & (IFF_VNET_HDR | IFF_MULTI_QUEUE), IFF_VNET_HDR | IFF_MULTI_QUEUE);
    int header = 0;
    ASSERT_EQ(::ioctl(queue.get(), TUNGETVNETHDRSZ, &header), 0);
    EXPECT_EQ(header, static_cast<int>(sizeof(net::Header)));
  }
  there("ip addr show alice0 | grep -q 'inet 10.9.9.9/24'");
  there("ip link show alice0 | grep -q 52:54:00:00:00:01");
  there("ip link show alice0 | grep -q 'mtu 2000'");
  EXPECT_FALSE(interface_index("alice0"));
}

TEST_F(InterfacesTest, ANameThatSomebodyTookKeepsALostTapAway) {
  const System system = describe("uplink = { tap = \"up0\" }");
  Problems problems;
  Interfaces interfaces = open_interfaces(system, problems);
  OpenInterface& uplink = interfaces.uplinks[0].interface;
  sh("ip link delete up0 && ip link add up0 type veth peer name up1");
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }),
            "it is gone, and stays away: cannot make a TAP: Device or resource busy\n");
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }), "") << "said once";
  sh("ip link delete up0");
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }), "it is there again\n");
  EXPECT_TRUE(interface_index("up0"));
}

TEST_F(InterfacesTest, AnInterfaceThatWentAndCameIsBoundAgain) {
  const auto plug = [] {
    sh("ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up");
  };
  plug();
  Problems problems;
  Interfaces interfaces = open_interfaces(describe("uplink = { interface = \"up0\" }"), problems);
  OpenInterface& uplink = interfaces.uplinks[0].interface;
  ASSERT_TRUE(uplink);
  EXPECT_FALSE(packet_socket_is_lost(uplink.fds[0].get()));
  sh("ip link delete up0");
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }),
            "it is gone, and stays away: no such interface: No such device\n");
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }), "") << "said once";
  plug();
  EXPECT_EQ(Log::of([&] { restore(uplink, "it"); }), "it is there again\n");
  EXPECT_FALSE(packet_socket_is_lost(uplink.fds[0].get()));
  sh("ip -d link show up0 | grep -q 'promiscuity 1'");
}

TEST_F(InterfacesTest, ANamespaceThatIsNotThereIsAProblem) {
  EXPECT_EQ(
      problems_with(describe("", "tap = \"a\"\nnetns = \"/run/netns/no-such\"")),
      "f:15:9: there is no network namespace '/run/netns/no-such'; make it, for example with: "
      "ip netns add no-such\n");
  EXPECT_EQ(problems_with(describe("", "tap = \"a\"\nnetns = \"/etc/passwd\"")),
            "f:15:9: there is no network namespace '/etc/passwd'; make it, for example with: ip "
            "netns add passwd\n");
}

TEST_F(InterfacesTest, AClientsTapIsMadeInItsNamespaceAndNotHere) {
  const System system =
      describe("", fmt::format("tap = \"alice0\"\nnetns = \"/proc/{}/ns/net\"", ::getppid()));
  Problems problems;
  {
    const Interfaces interfaces = open_interfaces(system, problems);
    EXPECT_EQ(lines(problems), "");
    EXPECT_FALSE(interface_index("alice0"));
    EXPECT_NE(problems_with(system).find("there is an interface 'alice0' already"),
              std::string::npos);
  }
  EXPECT_EQ(problems_with(system), "");
}

}  // namespace
}  // namespace cede::supervisor
