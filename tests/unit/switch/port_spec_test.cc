// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/port_spec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "driver_vm/setup_error.h"
#include "tests/unit/switch/loaded_frame.h"

namespace cede::test {
namespace {

using driver::Frame;
using driver::make_ports;
using driver::parse_port;
using driver::PortSpec;

const std::string kPortText = "device=0,name=a,mac=52:54:00:00:00:01";

std::string complaint(const std::vector<std::string>& texts) {
  try {
    (void)make_ports(texts, 1500);
  } catch (const driver::SetupError& error) {
    return error.what();
  }
  return {};
}

TEST(PortSpec, Everything) {
  const PortSpec port = parse_port(
      "device=3,name=alice/eth0,mac=52:54:00:ab:CD:ef,mtu=9000,ipv4=10.0.0.2,trunk=5+4094,"
      "isolated,spoofing,weight=7,pps=1000,bps=2000,storm=30");
  EXPECT_EQ(port.device, 3U);
  EXPECT_EQ(port.name, "alice/eth0");
  EXPECT_EQ(port.mac, (net::MacAddress{{0x52, 0x54, 0, 0xAB, 0xCD, 0xEF}}));
  EXPECT_EQ(port.mtu, 9000);
  EXPECT_EQ(port.ipv4, 0x0200000AU);
  EXPECT_TRUE(port.carries(5) && port.carries(4094) && !port.carries(6) && !port.carries(0));
  EXPECT_TRUE(port.isolated && port.spoofing);
  EXPECT_EQ(port.weight, 7U);
  EXPECT_EQ(port.pps, 1000U);
  EXPECT_EQ(port.bps, 2000U);
  EXPECT_EQ(port.storm, 30U);
}

TEST(PortSpec, Defaults) {
  const auto ports = make_ports({kPortText}, 1400);
  EXPECT_EQ(ports[0].mtu, 1400);
  EXPECT_FALSE(ports[0].spoofing || ports[0].isolated || ports[0].trunk || ports[0].ipv4);
  EXPECT_TRUE(ports[0].carries(0) && !ports[0].carries(1));
  EXPECT_EQ(ports[0].storm, PortSpec::kStorm);
}

TEST(PortSpec, WhatIsWrongIsSaidInOneLine) {
  const auto says = [](const std::string& more, const std::string& what) {
    const std::string text = complaint({kPortText + more});
    EXPECT_NE(text.find(what), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  };
  says(",vlan=0", "vlan=0 is not a number from 1 to 4094");
  says(",vlan=4095", "vlan=4095 is not a number from 1 to 4094");
  says(",trunk=1+4095", "trunk=4095 is not a number from 1 to 4094");
  says(",trunk=1+", "trunk= is not a number");
  says(",vlan=1,trunk=2", "either vlan or trunk");
  says(",mtu=67", "mtu=67 is not a number from 68");
  says(",ipv4=10.0.0", "ipv4=10.0.0 is not an address");
  says(",weight=101", "weight=101");
  says(",colour=red", "'colour' is not an option");
  says(",loud", "'loud' is not an option");
  says(",mac=52:54:00:00:00:02", "mac is given twice");
  EXPECT_NE(complaint({"device=0,mac=52:54:00:00:00:01"}).find("name is missing"),
            std::string::npos);
  for (const char* mac : {"52:54:00:00:00", "52:54:00:00:00:0g", "52-54-00-00-00-01",
                          "53:54:00:00:00:01", "00:00:00:00:00:00", "52:54:00:00:00:011"}) {
    EXPECT_NE(complaint({std::string("device=0,name=a,mac=") + mac}).find("not an address of one"),
              std::string::npos)
        << mac;
  }
}

TEST(PortSpec, AnAddressOrANumberTwice) {
  EXPECT_NE(complaint({kPortText, "device=1,name=b,mac=52:54:00:00:00:01"})
                .find("a and b have the same mac"),
            std::string::npos);
  EXPECT_NE(complaint({kPortText, "device=0,name=b,mac=52:54:00:00:00:02"})
                .find("a and b are both device 0"),
            std::string::npos);
}

TEST(PortSpec, TooManyPorts) {
  std::vector<std::string> texts;
  for (int i = 0; i < 256; ++i) {
    texts.push_back(fmt::format("device={0},name=p,mac=52:54:00:00:00:{0:02x}", i));
  }
  EXPECT_NE(complaint(texts).find("device=255"), std::string::npos) << complaint(texts);
  texts.pop_back();
  EXPECT_EQ(complaint(texts), "");
}

class Policy : public testing::Test {
 protected:
  [[nodiscard]] std::optional<Drop> judge(const std::string& more, const Bytes& bytes,
                                          const net::Header& header = {}) {
    const auto ports = make_ports({kPortText + more}, 1500);
    EXPECT_TRUE(load(frame_, bytes, header));
    return refuse(ports[0], frame_);
  }
  Frame frame_;
};

TEST_F(Policy, TheSourceAddressIsLocked) {
  EXPECT_EQ(judge("", small_frame(2, 1)), std::nullopt);
  EXPECT_EQ(judge("", small_frame(2, 3)), Drop::Spoofed);
  EXPECT_EQ(judge(",spoofing", small_frame(2, 3)), std::nullopt);
  for (const char* more : {"", ",spoofing"}) {
    Bytes frame = small_frame(2, 1);
    frame[6] |= 1;
    EXPECT_EQ(judge(more, frame), Drop::Spoofed);
    for (std::size_t i = 6; i < 12; ++i) frame[i] = 0;
    EXPECT_EQ(judge(more, frame), Drop::Spoofed);
  }
}

TEST_F(Policy, LongerThanTheMtu) {
  EXPECT_EQ(judge("", ethernet(2, 1, 0x88B5, noise(1500))), std::nullopt);
  EXPECT_EQ(judge("", ethernet(2, 1, 0x88B5, noise(1501))), Drop::Malformed);
  EXPECT_EQ(judge(",trunk=5", tagged(ethernet(2, 1, 0x88B5, noise(1500)), 5)), std::nullopt);
  EXPECT_EQ(judge(",trunk=5", tagged(ethernet(2, 1, 0x88B5, noise(1501)), 5)), Drop::Malformed);
  // Of a segment, the cuts count: 52 bytes of headers and 1448 of payload.
  for (const std::uint16_t size : {std::uint16_t{1448}, std::uint16_t{1449}}) {
    const Partial segment = tcp({}, noise(20'000), size);
    EXPECT_EQ(judge("", segment.frame, segment.header),
              size == 1448 ? std::nullopt : std::optional(Drop::Malformed));
  }
}

TEST_F(Policy, Vlans) {
  EXPECT_EQ(judge("", tagged(small_frame(2, 1), 5)), Drop::Vlan);
  EXPECT_EQ(judge(",vlan=5", tagged(small_frame(2, 1), 5)), Drop::Vlan);
  EXPECT_EQ(judge(",vlan=5", small_frame(2, 1)), std::nullopt);
  EXPECT_EQ(frame_.vlan(), 5);
  EXPECT_EQ(judge("", tagged(small_frame(2, 1), 0xE000)), std::nullopt);  // priority alone
  EXPECT_EQ(frame_.vlan(), 0);
  // Nobody gets at a VLAN, or at a priority, by a tag behind a tag.
  EXPECT_EQ(judge("", tagged(tagged(small_frame(2, 1), 5), 0)), Drop::Vlan);
  EXPECT_EQ(judge("", ethernet(2, 1, 0x88A8, noise(60))), Drop::Vlan);
  EXPECT_EQ(judge(",vlan=5", tagged(tagged(small_frame(2, 1), 6), 0)), Drop::Vlan);
  EXPECT_EQ(judge(",vlan=5", tagged(small_frame(2, 1), 0xE000)), std::nullopt);
  EXPECT_EQ(joined(frame_.pieces(true)), tagged(small_frame(2, 1), 5));
  EXPECT_EQ(judge(",trunk=5+6", tagged(small_frame(2, 1), 0x6006)), std::nullopt);
  EXPECT_EQ(frame_.vlan(), 6);
  EXPECT_EQ(judge(",trunk=5+6", tagged(small_frame(2, 1), 7)), Drop::Vlan);
  EXPECT_EQ(judge(",trunk=5+6", small_frame(2, 1)), Drop::Vlan);
}

TEST_F(Policy, ArpGuard) {
  const std::string guard = ",ipv4=10.0.0.1";
  EXPECT_EQ(judge(guard, arp(1, 1, 9)), std::nullopt);
  EXPECT_EQ(judge(guard, arp(1, 0, 9)), std::nullopt);  // a probe
  EXPECT_EQ(judge(guard, arp(1, 7, 9)), Drop::Guarded);
  EXPECT_EQ(judge("", arp(1, 7, 9)), std::nullopt);
  Bytes other_hardware = arp(1, 1, 9);
  other_hardware[27] = 9;
  EXPECT_EQ(judge(guard, other_hardware), Drop::Guarded);
  EXPECT_EQ(judge(guard, slice(arp(1, 1, 9), 0, 41)), Drop::Guarded);
}

TEST_F(Policy, Ipv4Guard) {
  const std::string guard = ",ipv4=10.0.0.1";
  EXPECT_EQ(judge(guard, udp({.from = 1}, noise(10)).frame), std::nullopt);
  Bytes forged = udp({.from = 7}, noise(10)).frame;
  std::copy_n(mac(1).begin(), 6, forged.begin() + 6);
  EXPECT_EQ(judge(guard, forged), Drop::Guarded);
  EXPECT_EQ(judge("", forged), std::nullopt);
  // A host that asks for its address.
  Bytes asking = forged;
  for (std::size_t i = 26; i < 30; ++i) asking[i] = 0;
  EXPECT_EQ(judge(guard, asking), Drop::Guarded);
  for (std::size_t i = 30; i < 34; ++i) asking[i] = 0xFF;
  EXPECT_EQ(judge(guard, asking), std::nullopt);
  EXPECT_EQ(judge(guard, slice(forged, 0, 33)), Drop::Guarded);
  // The guard cannot be slipped under with another tag.
  EXPECT_EQ(judge(guard, ethernet(2, 1, 0x88A8, noise(60))), Drop::Vlan);
  EXPECT_EQ(judge(guard + ",trunk=5", tagged(tagged(forged, 6), 5)), Drop::Guarded);
  EXPECT_EQ(judge(guard, udp({.v6 = true}, noise(10)).frame), std::nullopt);
}

TEST_F(Policy, AClientIsNoBridge) {
  for (int last : {0x00, 0x01, 0x0E, 0x0F, 0x10}) {
    Bytes frame = small_frame(2, 1);
    const Bytes reserved = {0x01, 0x80, 0xC2, 0, 0, static_cast<std::uint8_t>(last)};
    std::copy_n(reserved.begin(), 6, frame.begin());
    EXPECT_EQ(judge("", frame), last < 0x10 ? std::optional(Drop::Guarded) : std::nullopt);
  }
}

}  // namespace
}  // namespace cede::test
