// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/port_spec.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "driver_vm/option_text.h"
#include "driver_vm/scheduler.h"
#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

constexpr std::uint16_t kLastVlan = 4094;  // IEEE 802.1Q, table 9-2

[[nodiscard]] net::MacAddress mac_from(const OptionText& option, std::string_view given) {
  net::MacAddress mac;
  bool good = given.size() == 17;
  for (std::size_t i = 0; i < 6 && good; ++i) {
    const char* const digits = given.data() + 3 * i;
    const auto [stop, error] = std::from_chars(digits, digits + 2, mac.bytes[i], 16);
    good = error == std::errc() && stop == digits + 2 && (i == 5 || digits[2] == ':');
  }
  if (!good || mac.zero() || mac.multicast()) {
    option.fail(fmt::format("mac={} is not an address of one machine (52:54:00:12:34:56)", given));
  }
  return mac;
}

[[nodiscard]] std::uint32_t ipv4_from(const OptionText& option, std::string_view given) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(given).c_str(), &address) != 1 || address.s_addr == 0) {
    option.fail(fmt::format("ipv4={} is not an address (10.0.0.2)", given));
  }
  return address.s_addr;
}

void trunk_from(const OptionText& option, std::string_view given, PortSpec& spec) {
  spec.trunk = true;
  while (true) {
    const std::string_view one = given.substr(0, given.find('+'));
    spec.vlans.set(option.number("trunk", one, 1, kLastVlan));
    if (one.size() == given.size()) return;
    given.remove_prefix(one.size() + 1);
  }
}

[[nodiscard]] bool set_value(const OptionText& option, std::string_view key, std::string_view given,
                             PortSpec& spec) {
  const auto number = [&](std::uint64_t least, std::uint64_t most) {
    return option.number(key, given, least, most);
  };
  if (key == "device") {
    spec.device = static_cast<std::uint32_t>(number(0, kMaxPorts - 1));
  } else if (key == "name") {
    spec.name = option.words(key, given);
  } else if (key == "mac") {
    spec.mac = mac_from(option, given);
  } else if (key == "mtu") {
    spec.mtu = static_cast<std::uint16_t>(number(net::kMinMtu, net::kMaxMtu));
  } else if (key == "ipv4") {
    spec.ipv4 = ipv4_from(option, given);
  } else if (key == "vlan") {
    spec.vlan = static_cast<std::uint16_t>(number(1, kLastVlan));
  } else if (key == "trunk") {
    trunk_from(option, given, spec);
  } else if (key == "weight") {
    spec.weight = static_cast<std::uint32_t>(number(1, Scheduler::kMaxWeight));
  } else if (key == "pps") {
    spec.pps = number(0, UINT64_MAX);
  } else if (key == "bps") {
    spec.bps = number(0, UINT64_MAX);
  } else if (key == "storm") {
    spec.storm = number(0, UINT64_MAX);
  } else {
    return false;
  }
  return true;
}

// An IPv4 packet from its address, or from none to everybody: a host that asks for one (RFC 2131).
[[nodiscard]] bool is_own_ipv4(std::uint32_t own, const Frame& frame) noexcept {
  const std::byte* const ip = frame.judged(net::kHeaderBytes, 20);
  if (ip == nullptr) return false;
  std::uint32_t ends[2];
  std::memcpy(ends, ip + 12, sizeof ends);
  return ends[0] == own || (ends[0] == INADDR_ANY && ends[1] == INADDR_BROADCAST);
}

// ARP (RFC 826) for IPv4 over Ethernet, from its own addresses; probes (RFC 5227) have none yet.
[[nodiscard]] bool is_own_arp(std::uint32_t own, const Frame& frame) noexcept {
  constexpr std::uint8_t kIpv4OverEthernet[] = {0, 1, 8, 0, 6, 4};
  const std::byte* const arp = frame.judged(net::kHeaderBytes, 28);
  if (arp == nullptr || std::memcmp(arp, kIpv4OverEthernet, sizeof kIpv4OverEthernet) != 0) {
    return false;
  }
  std::uint32_t sender = 0;
  std::memcpy(&sender, arp + 14, sizeof sender);
  return mac_at(arp + 8) == frame.source() && (sender == own || sender == INADDR_ANY);
}

[[nodiscard]] bool guarded(const PortSpec& port, const Frame& frame) noexcept {
  // 01-80-C2-00-00-0X is between neighbours: spanning tree, pause, LLDP. A client is no bridge.
  constexpr Mac kReserved = 0x0000'00C2'8001;
  if ((frame.destination() & 0xF0FF'FFFF'FFFF) == kReserved) return true;
  if (!port.ipv4) return false;
  switch (frame.ether_type()) {
    case EtherType::kIpv4:
      return !is_own_ipv4(*port.ipv4, frame);
    case EtherType::kArp:
      return !is_own_arp(*port.ipv4, frame);
    default:
      return is_tag(frame.ether_type());  // who knows what is inside
  }
}

}  // namespace

PortSpec parse_port(std::string_view text) {
  OptionText option("--port", text);
  PortSpec spec;
  const auto flag = [&](std::string_view key) {
    if (key == "isolated") return spec.isolated = true;
    if (key == "spoofing") return spec.spoofing = true;
    return false;
  };
  option.parse(flag, [&](std::string_view key, std::string_view given) {
    return set_value(option, key, given, spec);
  });
  for (const char* key : {"device", "name", "mac"}) {
    if (!option.has(key)) option.fail(fmt::format("{} is missing", key));
  }
  if (option.has("vlan") && option.has("trunk")) option.fail("give either vlan or trunk");
  return spec;
}

std::vector<PortSpec> make_ports(const std::vector<std::string>& texts, std::uint16_t mtu) {
  std::vector<PortSpec> ports;
  for (const std::string& text : texts) {
    PortSpec port = parse_port(text);
    if (port.mtu == 0) port.mtu = mtu;
    for (const PortSpec& other : ports) {
      if (other.device == port.device) {
        throw SetupError(fmt::format("--port: {} and {} are both device {}; number them apart",
                                     other.name, port.name, port.device));
      }
      if (other.mac == port.mac) {
        throw SetupError(fmt::format("--port: {} and {} have the same mac; give each its own",
                                     other.name, port.name));
      }
    }
    ports.push_back(std::move(port));
  }
  // Their numbers differ, so there are kMaxPorts at most; one more place in the scheduler's round
  // is the uplink's.
  static_assert(kMaxPorts < Scheduler::kMaxClients);
  return ports;
}

std::optional<Drop> refuse(const PortSpec& port, Frame& frame) noexcept {
  if (frame.network_length() > port.mtu) return Drop::Malformed;
  if (is_multicast(frame.source()) || frame.source() == 0 ||
      (!port.spoofing && frame.source() != mac_of(port.mac))) {
    return Drop::Spoofed;
  }
  if (port.trunk) {
    if (!port.vlans[frame.vlan()]) return Drop::Vlan;
  } else {
    // A tag without a VLAN was taken off: one behind it must not take its place.
    if (frame.vlan() != 0 || is_tag(frame.ether_type())) return Drop::Vlan;
    frame.set_vlan(port.vlan);
  }
  if (guarded(port, frame)) return Drop::Guarded;
  return std::nullopt;
}

}  // namespace cede::driver
