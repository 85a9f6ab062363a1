// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/addresses.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

TEST(Addresses, AMacAddressIsSixPairsOfHexDigits) {
  const auto mac = parse_mac("52:54:00:aB:00:ff");
  ASSERT_TRUE(mac);
  EXPECT_EQ(format_mac(*mac), "52:54:00:ab:00:ff");
  for (const char* bad :
       {"", "52:54:00:00:00", "52:54:00:00:00:0", "52-54-00-00-00-01", "52:54:00:00:00:0g",
        "52:54:00:00:00:01 ", "52:54:00:00:00:01:02", "525:4:00:00:00:01", "+2:54:00:00:00:01"}) {
    EXPECT_FALSE(parse_mac(bad)) << bad;
  }
}

TEST(Addresses, ADerivedMacAddressIsStableLocalAndADevicesOwn) {
  const net::MacAddress mac = derived_mac("demo/alice/eth0");
  EXPECT_EQ(mac, derived_mac("demo/alice/eth0"));
  EXPECT_NE(format_mac(mac), format_mac(derived_mac("demo/bob/eth0")));
  for (int i = 0; i < 1000; ++i) {
    const net::MacAddress other = derived_mac("demo/client/" + std::to_string(i));
    EXPECT_FALSE(other.multicast());
    EXPECT_EQ(other.bytes[0] & 2, 2) << "locally administered";
  }
}

TEST(Addresses, AnIpv4AddressIsFourNumbers) {
  EXPECT_EQ(parse_ipv4("10.0.0.2"), (Ipv4{10, 0, 0, 2}));
  EXPECT_EQ(format_ipv4({10, 0, 0, 2}), "10.0.0.2");
  for (const char* bad :
       {"", "10.0.0", "10.0.0.256", "10.0.0.2/24", "::1", "a.b.c.d", "1111.1111.1111.1111.1111"}) {
    EXPECT_FALSE(parse_ipv4(bad)) << bad;
  }
}

TEST(Addresses, AnInterfacesAddressHasItsNetworksLength) {
  EXPECT_EQ(parse_interface_address("10.77.0.1/24"), (InterfaceAddress{{10, 77, 0, 1}, 24}));
  for (const char* bad : {"10.77.0.1", "10.77.0.1/", "10.77.0.1/0", "10.77.0.1/33", "10.77.0.1/256",
                          "/24", "fd::/8"}) {
    EXPECT_FALSE(parse_interface_address(bad)) << bad;
  }
}

TEST(Addresses, AnInterfacesNameFitsTheKernelAndIsNoPattern) {
  for (const char* good : {"a", "eth0", "br-lan.10", "exactly15bytes_"}) {
    EXPECT_TRUE(valid_interface_name(good)) << good;
  }
  for (const char* bad : {"", ".", "..", "-x", "a b", "a/b", "a:1", "tap%d", "sixteen_bytes_xx"}) {
    EXPECT_FALSE(valid_interface_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace cede::supervisor
