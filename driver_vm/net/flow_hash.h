// SPDX-License-Identifier: Apache-2.0
// Which flow a frame belongs to, as a number: the same for every frame of a flow.
//
// TCP and UDP by addresses and ports. Of a fragmented packet only the first fragment has ports, so
// fragments go by addresses alone. Everything that is not IP goes by its MAC addresses.
#pragma once

#include <cstdint>

#include "driver_vm/net/frame.h"

namespace cede::driver {

[[nodiscard]] inline std::uint32_t flow_hash(const Frame& frame) noexcept {
  constexpr std::uint32_t kIp = net::kHeaderBytes;
  std::uint64_t hash = 0;
  const auto mix = [&](const std::byte* bytes, std::uint32_t size) {
    for (; size >= 4; size -= 4, bytes += 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes, sizeof word);
      hash = (hash ^ word) * 0x9E3779B97F4A7C15;
      hash ^= hash >> 32;
    }
  };
  const auto mix_ports = [&](std::uint8_t protocol, std::uint32_t at) {
    if (protocol != IpProtocol::kTcp && protocol != IpProtocol::kUdp) return;
    if (const std::byte* ports = frame.judged(at, 4)) mix(ports, 4);
  };
  if (frame.ether_type() == EtherType::kIpv4) {
    if (const std::byte* ip = frame.judged(kIp, 20)) {
      mix(ip + 12, 8);
      const bool fragment = (static_cast<std::uint8_t>(ip[6]) & 0x3F) != 0 || ip[7] != std::byte{};
      if (!fragment) {
        mix_ports(static_cast<std::uint8_t>(ip[9]),
                  kIp + (static_cast<std::uint8_t>(ip[0]) & 15) * 4U);
      }
      return static_cast<std::uint32_t>(hash >> 16);
    }
  } else if (frame.ether_type() == EtherType::kIpv6) {
    if (const std::byte* ip = frame.judged(kIp, 40)) {
      mix(ip + 8, 32);
      mix_ports(static_cast<std::uint8_t>(ip[6]), kIp + 40);
      return static_cast<std::uint32_t>(hash >> 16);
    }
  }
  const Mac ends[2] = {frame.source(), frame.destination()};
  mix(reinterpret_cast<const std::byte*>(ends), sizeof ends);
  return static_cast<std::uint32_t>(hash >> 16);
}

}  // namespace cede::driver
