// SPDX-License-Identifier: Apache-2.0
// The interfaces of a description against those of the kernel, as root, in a network namespace of
// the test's own.
#include "vmm/supervisor/interfaces.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdlib>
#include <string>

#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/network_interface.h"

namespace cede::supervisor {
namespace {

void sh(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe)
}

class InterfacesTest : public testing::Test {
 protected:
  // Nothing of the host's is seen or touched, and all is gone with the process.
  static void SetUpTestSuite() {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
    sh("ip link set lo up");
  }
  void TearDown() override { (void)std::system("ip link delete up0 2>/dev/null"); }

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
};

TEST_F(InterfacesTest, AnUplinkTapIsMadeWithItsAddressAndGoesWithItsDescriptor) {
  const System system =
      describe("uplink = { tap = \"up0\", address = \"10.1.2.3/20\" }\nmtu = 9000");
  Problems problems;
  {
    const Interfaces interfaces = open_interfaces(system, problems);
    EXPECT_EQ(lines(problems), "");
    EXPECT_EQ(interfaces.uplinks[0].mtu, 9000U);
    EXPECT_TRUE(interfaces.uplinks[0].fd);
    EXPECT_EQ(interface_mtu("up0"), 9000U);
    sh("ip addr show up0 | grep -q 'inet 10.1.2.3/20'");
    sh("ip link show up0 | grep -q '[<,]UP[,>]'");
    EXPECT_EQ(
        problems_with(system),
        "f:6:18: there is an interface 'up0' already; choose another name, or: ip link delete "
        "up0\n");
    EXPECT_FALSE(restore_uplink(interfaces.uplinks[0]));
    sh("ip link delete up0");
    EXPECT_TRUE(restore_uplink(interfaces.uplinks[0]));
    sh("ip addr show up0 | grep -q 'inet 10.1.2.3/20'");
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
  EXPECT_FALSE(interfaces.uplinks[0].fd);
  ASSERT_EQ(interfaces.taps[0][0].size(), 3U);
  EXPECT_EQ(interface_mtu("alice0"), 2000U);
  sh("ip link show alice0 | grep -q 52:54:00:00:00:01");
}

TEST_F(InterfacesTest, AVmsPortHasNoTap) {
  Problems problems;
  const Interfaces interfaces = open_interfaces(describe(""), problems);
  EXPECT_TRUE(interfaces.taps[0][0].empty());
  EXPECT_EQ(interfaces.uplinks[0].mtu, kDefaultMtu);
}

TEST_F(InterfacesTest, AnInterfaceGivesItsMtu) {
  sh("ip link add up0 mtu 1400 type veth peer name up1 && ip link set up0 up");
  Problems problems;
  const Interfaces interfaces =
      open_interfaces(describe("uplink = { interface = \"up0\" }"), problems);
  EXPECT_EQ(lines(problems), "");
  EXPECT_EQ(interfaces.uplinks[0].mtu, 1400U);
  EXPECT_TRUE(interfaces.uplinks[0].fd);
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
