// SPDX-License-Identifier: Apache-2.0
// Descriptions of switches and ports: what is read, what is refused, and where.
#include <gtest/gtest.h>

#include "tests/unit/supervisor/support.h"
#include "vmm/supervisor/checks.h"

namespace cede::supervisor {
namespace {

// Each test spoils one thing by replacing text.
constexpr const char* kSound = R"(name = "demo"
budget = "64M"
[[driver]]
name = "sw0"
kind = "net"
uplink = { tap = "cede0", address = "10.77.0.1/24" }
mtu = 9000
[[driver]]
name = "disk0"
kind = "block"
disk = "disk.img"
  [[driver.volume]]
  name = "vol"
  offset = 0
  size = "1M"
[[client]]
name = "alice"
account = "32M"
  [[client.device]]
  name = "eth0"
  driver = "sw0"
  mac = "52:54:00:00:00:01"
  ipv4 = "10.77.0.2"
  [[client.device]]
  name = "vda"
  driver = "disk0"
  volume = "vol"
[[client]]
name = "bob"
account = "32M"
  [[client.device]]
  name = "eth0"
  driver = "sw0"
  tap = "bob0"
  netns = "/run/netns/bob"
  address = "10.77.0.3/24"
)";

struct Change {
  const char* title;
  const char* from;
  const char* to;  // replaces the first occurrence of `from`
  const char* expected;
};

void PrintTo(const Change& change, std::ostream* out) {
  *out << change.title;
}

std::string problems_with(const std::string& text) {
  Problems problems;
  Problems warnings;
  const System system = parse_system(text, "/f", problems);
  if (problems.empty()) check_system(system, problems, warnings);
  return lines(problems);
}

class PortChecks : public testing::TestWithParam<Change> {};

TEST_P(PortChecks, NameTheMistakeItsPlaceAndARemedy) {
  std::string text = kSound;
  const std::size_t place = text.find(GetParam().from);
  ASSERT_NE(place, std::string::npos);
  text.replace(place, std::string(GetParam().from).size(), GetParam().to);
  EXPECT_EQ(problems_with(text), GetParam().expected);
}

const Change kChanges[] = {
    {"Nothing", "demo", "demo", ""},
    {"NoUplink", "uplink = { tap = \"cede0\", address = \"10.77.0.1/24\" }\n", "", ""},
    {"MacTwice", "tap = \"bob0\"", "tap = \"bob0\"\n  mac = \"52:54:00:00:00:01\"",
     "f:35:9: 'alice/eth0' has the MAC address 52:54:00:00:00:01 already; choose another, or leave "
     "'mac' out\n"},
    {"MulticastMac", "52:54:00:00:00:01", "53:54:00:00:00:01",
     "f:22:9: 53:54:00:00:00:01 is no address of one device; make the first byte even, and not all "
     "of them zero\n"},
    {"ZeroMac", "52:54:00:00:00:01", "00:00:00:00:00:00",
     "f:22:9: 00:00:00:00:00:00 is no address of one device; make the first byte even, and not all "
     "of them zero\n"},
    {"NoMac", "52:54:00:00:00:01", "52:54:00:00:00",
     "f:22:9: '52:54:00:00:00' is not a MAC address; write mac = \"52:54:00:12:34:56\" or the "
     "like\n"},
    {"Ipv4Twice", "tap = \"bob0\"", "tap = \"bob0\"\n  ipv4 = \"10.77.0.2\"",
     "f:35:10: 'alice/eth0' has the IPv4 address 10.77.0.2 already; choose another\n"
     "f:37:13: the switch would drop all that comes from this address: the port's is 10.77.0.2; "
     "write the same address for both\n"},
    {"NoIpv4", "10.77.0.2", "10.77.0.2/24",
     "f:23:10: '10.77.0.2/24' is not an IPv4 address; write ipv4 = \"10.77.0.2\" or the like\n"},
    {"NoAddress", "10.77.0.1/24", "10.77.0.1",
     "f:6:37: '10.77.0.1' is not an IPv4 address and a network's length; write address = "
     "\"10.77.0.1/24\" or the like\n"},
    {"Ipv4OfNobody", "10.77.0.2", "0.0.0.0",
     "f:23:10: 0.0.0.0 is no address of one device; write the client's, or leave 'ipv4' out\n"},
    {"VlanOutOfRange", "ipv4 =", "vlan = 4095\n  ipv4 =",
     "f:23:10: 'vlan' is out of range; use an integer from 1 to 4094\n"},
    {"TrunkOutOfRange", "ipv4 =", "trunk = [10, 0]\n  ipv4 =",
     "f:23:16: 'trunk' holds what is out of range; use integers from 1 to 4094\n"},
    {"TrunkOfNothing", "ipv4 =", "trunk = 10\n  ipv4 =",
     "f:23:11: 'trunk' is not a list; write integers between brackets, such as trunk = [10, 20]\n"},
    {"EmptyTrunk", "ipv4 =", "trunk = []\n  ipv4 =",
     "f:23:11: 'trunk' is an empty list; write what it is to hold, or leave 'trunk' out\n"},
    {"VlanAndTrunk", "ipv4 =", "vlan = 10\n  trunk = [20]\n  ipv4 =",
     "f:24:11: a port is of one VLAN or a trunk of several; remove 'vlan' or 'trunk'\n"},
    {"MtuOutOfRange", "mtu = 9000", "mtu = 67",
     "f:7:7: 'mtu' is out of range; use an integer from 68 to 65521\n"},
    {"TapNameTooLong", "\"bob0\"", "\"bob0123456789012\"",
     "f:34:9: 'bob0123456789012' is not the name of an interface; use 1 to 15 letters, digits, "
     "'-', '_' and '.', beginning with a letter or digit\n"},
    {"TapTwice", "ipv4 = \"10.77.0.2\"", "tap = \"cede0\"",
     "f:23:9: another device or uplink makes the TAP 'cede0'; choose another name\n"},
    {"SameTapElsewhere", "\"bob0\"", "\"cede0\"", ""},
    {"UplinkTwice", "[[client]]\nname = \"alice\"",
     "[[driver]]\nname = \"sw1\"\nkind = \"net\"\nuplink = { interface = \"cede0\" }\n"
     "[[client]]\nname = \"alice\"",
     "f:19:24: driver 'sw0' uses the uplink 'cede0' already; give each switch an uplink of its "
     "own\n"},
    {"UplinkOfBothKinds", "{ tap", "{ interface = \"eth1\", tap",
     "f:6:10: an uplink is a TAP or an interface; write uplink = { tap = \"cede0\" } or uplink = { "
     "interface = \"eth1\" }\n"},
    {"UplinkOfNoKind", "tap = \"cede0\", ", "",
     "f:6:10: an uplink is a TAP or an interface; write uplink = { tap = \"cede0\" } or uplink = { "
     "interface = \"eth1\" }\n"},
    {"AddressOfAnInterface", "{ tap = \"cede0\"", "{ interface = \"eth1\"",
     "f:6:42: an interface keeps the addresses that it has; remove 'address', or use a TAP\n"},
    {"UnknownKeyOfAnUplink", "tap = \"cede0\"", "tap = \"cede0\", speed = 1",
     "f:6:27: unknown key 'speed' in an uplink; known here: tap, interface, address\n"},
    {"UnknownKeyOfASwitch", "mtu = 9000", "disk = \"x\"",
     "f:7:1: unknown key 'disk' in [[driver]]; known here: name, kind, cpu_weight, cpu_limit, mtu, "
     "uplink\n"},
    {"UnknownKeyOfAPort", "ipv4", "ipv6",
     "f:23:3: unknown key 'ipv6' in [[client.device]]; known here: name, driver, mac, ipv4, vlan, "
     "trunk, isolated, spoofing, packets_per_second, storm, tap, netns, address, queues, slots, "
     "weight, bytes_per_second, socket, connect\n"},
    {"PortOnABlockDriver", "driver = \"sw0\"", "driver = \"disk0\"",
     "f:22:9: driver 'disk0' is of kind 'block', where a device has no 'mac'; remove it, or name a "
     "driver of kind \"net\"\n"},
    {"VolumeOnASwitch", "driver = \"disk0\"", "driver = \"sw0\"",
     "f:27:12: driver 'sw0' is of kind 'net', where a device has no 'volume'; remove it, or name a "
     "driver of kind \"block\"\n"},
    {"NamespaceWithoutATap", "  tap = \"bob0\"\n", "",
     "f:34:11: 'netns' is for a TAP, and the device is a VM's; remove it, or add tap = \"...\"\n"
     "f:35:13: 'address' is for a TAP, and the device is a VM's; remove it, or add tap = "
     "\"...\"\n"},
    {"SocketOfATap", "netns = \"/run/netns/bob\"", "socket = \"/s\"",
     "f:35:12: a TAP has no socket; remove 'socket', or 'tap'\n"},
    {"TooManyQueues", "ipv4 =", "queues = 8\n  ipv4 =",
     "f:23:12: 'queues' is out of range; use an integer from 1 to 7\n"},
    {"SlotsNotAPowerOfTwo", "ipv4 =", "slots = 100\n  ipv4 =",
     "f:23:11: the number of slots is not a power of two; use 64, 128, 256, ...\n"},
    {"AccountSmallerThanItsRegions", "account = \"32M\"", "account = \"17M\"",
     "f:18:11: the account of 'alice', 17M, is less than its devices' regions, 20M together; write "
     "account = \"20M\" or more, or use smaller regions\n"},
};

INSTANTIATE_TEST_SUITE_P(All, PortChecks, testing::ValuesIn(kChanges),
                         [](const auto& test) { return std::string(test.param.title); });

TEST(Ports, ASwitchHas255OfThemAtMost) {
  std::string text =
      "name = \"demo\"\nbudget = \"2560M\"\n[[driver]]\nname = \"sw0\"\nkind = \"net\"\n"
      "[[client]]\nname = \"alice\"\naccount = \"2560M\"\n";
  for (int i = 0; i < 256; ++i) {
    if (i == 255) {
      EXPECT_EQ(problems_with(text), "");
    }
    text += "[[client.device]]\nname = \"eth" + std::to_string(i) + "\"\ndriver = \"sw0\"\n";
  }
  EXPECT_EQ(problems_with(text),
            "f:776:10: driver 'sw0' has more than 255 ports; move some to another driver\n");
}

TEST(Ports, EveryKeyArrives) {
  Problems problems;
  const System system = parse_system(R"(name = "demo"
budget = "64M"
[[driver]]
name = "sw0"
kind = "net"
uplink = { tap = "cede0", address = "10.77.0.1/24" }
mtu = 9000
[[driver]]
name = "sw1"
kind = "net"
uplink = { interface = "eth1" }
[[client]]
name = "alice"
account = "32M"
  [[client.device]]
  name = "eth0"
  driver = "sw0"
  mac = "52:54:00:00:00:01"
  ipv4 = "10.77.0.2"
  trunk = [10, 20]
  isolated = true
  spoofing = true
  weight = 3
  packets_per_second = 1000
  bytes_per_second = "10M"
  storm = 50
  queues = 2
  slots = 128
  [[client.device]]
  name = "eth1"
  driver = "sw1"
  vlan = 4094
  tap = "alice0"
  netns = "ns"
  address = "10.0.0.7/8"
)",
                                     "/etc/cede/demo.toml", problems);
  ASSERT_EQ(lines(problems), "");
  EXPECT_TRUE(system.drivers[0].is_net());
  EXPECT_EQ(*system.drivers[0].uplink.tap, "cede0");
  EXPECT_EQ(*system.drivers[0].uplink.address, (InterfaceAddress{{10, 77, 0, 1}, 24}));
  EXPECT_EQ(*system.drivers[0].mtu, 9000U);
  EXPECT_EQ(*system.drivers[1].uplink.interface, "eth1");
  EXPECT_EQ(*system.drivers[1].uplink.name(), "eth1");
  EXPECT_EQ(*system.drivers[1].mtu, 0U);
  const Device& eth0 = system.clients[0].devices[0];
  ASSERT_TRUE(eth0.port);
  EXPECT_EQ(format_mac(*eth0.port->mac), "52:54:00:00:00:01");
  EXPECT_EQ(*eth0.port->ipv4, (Ipv4{10, 77, 0, 2}));
  EXPECT_EQ(*eth0.port->trunk, (std::vector<std::uint64_t>{10, 20}));
  EXPECT_TRUE(*eth0.port->isolated);
  EXPECT_TRUE(*eth0.port->spoofing);
  EXPECT_EQ(*eth0.weight, 3U);
  EXPECT_EQ(*eth0.port->packets_per_second, 1000U);
  EXPECT_EQ(*eth0.bytes_per_second, 10U << 20);
  EXPECT_EQ(*eth0.port->storm, 50U);
  EXPECT_EQ(eth0.geometry(), net::port_geometry(2, 128));
  EXPECT_TRUE(eth0.has_socket());
  const Device& eth1 = system.clients[0].devices[1];
  EXPECT_EQ(*eth1.port->mac, derived_mac("demo/alice/eth1"));
  EXPECT_EQ(*eth1.port->vlan, 4094U);
  EXPECT_EQ(*eth1.port->tap, "alice0");
  EXPECT_EQ(*eth1.port->netns, "/etc/cede/ns");
  EXPECT_EQ(*eth1.port->address, (InterfaceAddress{{10, 0, 0, 7}, 8}));
  EXPECT_FALSE(eth1.has_socket());
}

}  // namespace
}  // namespace cede::supervisor
