// SPDX-License-Identifier: Apache-2.0
// A port of the switch as the supervisor describes it, and what it may send and be sent.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver_vm/net/frame.h"
#include "protocols/net.h"
#include "protocols/stats.h"

namespace cede::driver {

struct PortSpec {
  // Frames to everybody, a second, unless the port says otherwise.
  static constexpr std::uint64_t kStorm = 10'000;

  std::uint32_t device = 0;  // the driver's number for it, below kMaxPorts
  std::string name;          // for messages
  net::MacAddress mac;
  std::uint16_t mtu = 0;              // 0: the switch's
  std::optional<std::uint32_t> ipv4;  // its only address, as in memory; nothing: any
  std::uint16_t vlan = 0;             // frames without a tag are of this VLAN; 0: of none
  bool trunk = false;                 // frames have tags, of these VLANs
  std::bitset<kVlanMask + 1> vlans;
  bool isolated = false;     // reaches the uplink and no other port
  bool spoofing = false;     // may use other source addresses than its own
  std::uint32_t weight = 1;  // 1 to Scheduler::kMaxWeight
  std::uint64_t pps = 0;     // frames sent, a second; 0: no limit
  std::uint64_t bps = 0;     // bytes sent, a second; 0: no limit
  std::uint64_t storm = kStorm;

  [[nodiscard]] bool carries(std::uint16_t of) const noexcept {
    return trunk ? vlans[of] : vlan == of;
  }
};

// device=N,name=TEXT,mac=XX:XX:XX:XX:XX:XX[,mtu=N][,ipv4=A.B.C.D][,vlan=N|trunk=N+M...][,isolated]
// [,spoofing][,weight=N][,pps=N][,bps=N][,storm=N]. Throws SetupError.
[[nodiscard]] PortSpec parse_port(std::string_view text);

// All ports of a switch whose MTU is `mtu`. Throws SetupError: a device number or an address twice,
// too many ports.
[[nodiscard]] std::vector<PortSpec> make_ports(const std::vector<std::string>& texts,
                                               std::uint16_t mtu);

// May this frame come from that port? Nothing: yes, and its VLAN is set. Judges the frame alone: no
// rates, no receivers.
[[nodiscard]] std::optional<Drop> refuse(const PortSpec& port, Frame& frame) noexcept;

}  // namespace cede::driver
