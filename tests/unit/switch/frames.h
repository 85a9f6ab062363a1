// SPDX-License-Identifier: Apache-2.0
// Frames as honest and dishonest clients write them, and what a receiver checks in them. Written
// for being plainly right: a byte at a time.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <vector>

#include "protocols/net.h"

namespace cede::test {

using Bytes = std::vector<std::uint8_t>;
using Address = std::uint8_t;  // the last byte of 52:54:00:00:00:XX and of 10.0.0.XX

inline constexpr std::uint8_t kBroadcast = 0xFF;

inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}
[[nodiscard]] inline Bytes be16(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}
[[nodiscard]] inline Bytes be32(std::uint32_t value) {
  Bytes bytes = be16(value >> 16);
  append(bytes, be16(value & 0xFFFF));
  return bytes;
}
[[nodiscard]] inline std::uint32_t read16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}
[[nodiscard]] inline std::uint32_t read32(const Bytes& bytes, std::size_t at) {
  return read16(bytes, at) << 16 | read16(bytes, at + 2);
}
[[nodiscard]] inline Bytes mac(Address address) {
  if (address == kBroadcast) return Bytes(6, 0xFF);
  return {0x52, 0x54, 0, 0, 0, address};
}
[[nodiscard]] inline Bytes ipv4(Address address) {
  return {10, 0, 0, address};
}
[[nodiscard]] inline Bytes noise(std::size_t size, std::uint32_t seed = 1) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return bytes;
}

// Addresses and type, then anything.
[[nodiscard]] inline Bytes ethernet(Address to, Address from, std::uint16_t type,
                                    const Bytes& payload) {
  Bytes frame = mac(to);
  append(frame, mac(from));
  append(frame, be16(type));
  append(frame, payload);
  return frame;
}
// 64 bytes of nothing in particular (local experimental ethertype).
[[nodiscard]] inline Bytes small_frame(Address to, Address from, std::uint32_t seed = 1) {
  return ethernet(to, from, 0x88B5, noise(50, seed));
}
[[nodiscard]] inline Bytes tagged(Bytes frame, std::uint16_t tag) {
  Bytes bytes = be16(0x8100);
  append(bytes, be16(tag));
  frame.insert(frame.begin() + 12, bytes.begin(), bytes.end());
  return frame;
}

// The one's complement sum of RFC 1071, folded, over big-endian words.
[[nodiscard]] inline std::uint32_t ones_sum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += bytes[i] * (i % 2 == 0 ? 256U : 1U);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return sum;
}
[[nodiscard]] inline Bytes slice(const Bytes& bytes, std::size_t from, std::size_t size) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(from + size)};
}
inline void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
  bytes.at(at) = static_cast<std::uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}

struct Ip {
  bool v6 = false;
  Address from = 1;
  Address to = 2;
  std::uint16_t id = 0x1234;
  std::uint8_t protocol = 17;

  [[nodiscard]] std::size_t bytes() const { return v6 ? 40 : 20; }
  [[nodiscard]] Bytes addresses() const {
    Bytes both;
    for (const Address one : {from, to}) {
      Bytes address(v6 ? 16 : 0);
      if (v6) {
        address[0] = 0xFD;
        address[15] = one;
      } else {
        address = ipv4(one);
      }
      append(both, address);
    }
    return both;
  }
  [[nodiscard]] Bytes header(std::size_t payload) const {
    Bytes ip;
    if (v6) {
      ip = {0x60, 0, 0, 0};
      append(ip, be16(static_cast<std::uint32_t>(payload)));
      append(ip, {protocol, 64});
      append(ip, addresses());
      return ip;
    }
    ip = {0x45, 0};
    append(ip, be16(static_cast<std::uint32_t>(20 + payload)));
    append(ip, be16(id));
    append(ip, {0x40, 0, 64, protocol, 0, 0});
    append(ip, addresses());
    put16(ip, 10, ~ones_sum(ip) & 0xFFFF);
    return ip;
  }
  // The sum of the pseudo header (RFC 793, RFC 8200).
  [[nodiscard]] std::uint32_t pseudo(std::size_t payload) const {
    Bytes pseudo_header = addresses();
    append(pseudo_header, be32(static_cast<std::uint32_t>(payload)));
    append(pseudo_header, {0, 0, 0, protocol});
    return ones_sum(pseudo_header);
  }
};

// With its checksum left to do: the header says where.
struct Partial {
  Bytes frame;
  net::Header header{};
};
[[nodiscard]] inline Partial partial(const Ip& ip, Bytes transport, std::uint16_t checksum_at) {
  put16(transport, checksum_at, ip.pseudo(transport.size()));
  Partial partial;
  partial.frame = ethernet(ip.to, ip.from, ip.v6 ? 0x86DD : 0x0800, ip.header(transport.size()));
  append(partial.frame, transport);
  partial.header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  partial.header.csum_start = static_cast<std::uint16_t>(14 + ip.bytes());
  partial.header.csum_offset = checksum_at;
  return partial;
}
[[nodiscard]] inline Partial udp(Ip ip, const Bytes& payload, std::uint16_t port = 9) {
  ip.protocol = 17;
  Bytes datagram = be16(port);
  append(datagram, be16(9));
  append(datagram, be16(static_cast<std::uint32_t>(8 + payload.size())));
  append(datagram, {0, 0});
  append(datagram, payload);
  return partial(ip, datagram, 6);
}
// As many datagrams as it takes, in one (virtio 1.3, section 5.1.6.2).
[[nodiscard]] inline Partial datagrams(const Ip& ip, const Bytes& payload, std::uint16_t segment) {
  Partial all = udp(ip, payload);
  all.header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
  all.header.gso_size = segment;
  return all;
}
[[nodiscard]] inline Partial tcp(Ip ip, const Bytes& payload, std::uint16_t segment,
                                 std::uint8_t flags = 0x18, std::uint32_t sequence = 1000) {
  ip.protocol = 6;
  Bytes bytes = be16(80);
  append(bytes, be16(8080));
  append(bytes, be32(sequence));
  append(bytes, be32(77));
  // A time stamp option, as Linux has it.
  append(bytes, {0x80, flags, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8});
  append(bytes, payload);
  Partial partial_tcp = partial(ip, bytes, 16);
  partial_tcp.header.gso_type = ip.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
  if ((flags & 0x80) != 0) partial_tcp.header.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
  partial_tcp.header.gso_size = segment;
  return partial_tcp;
}

// Do the frame's checksums hold? IPv4 or IPv6 without options, then TCP or UDP.
[[nodiscard]] inline bool checksums_hold(const Bytes& frame) {
  const bool v6 = read16(frame, 12) == 0x86DD;
  const std::size_t ip_bytes = v6 ? 40 : 20;
  if (!v6 && ones_sum(slice(frame, 14, 20)) != 0xFFFF) return false;
  const std::size_t length = v6 ? read16(frame, 18) : read16(frame, 16) - 20;
  if (frame.size() != 14 + ip_bytes + length) return false;
  Bytes all = slice(frame, v6 ? 22 : 26, v6 ? 32 : 8);
  append(all, be32(static_cast<std::uint32_t>(length)));
  append(all, {0, 0, 0, frame[v6 ? 20 : 23]});
  append(all, slice(frame, 14 + ip_bytes, length));
  return ones_sum(all) == 0xFFFF;
}

// Who has `wanted`? From `from`, who says that `sender` is its address.
[[nodiscard]] inline Bytes arp(Address from, Address sender, Address wanted) {
  Bytes request = {0, 1, 8, 0, 6, 4, 0, 1};
  append(request, mac(from));
  append(request, sender == 0 ? Bytes(4) : ipv4(sender));
  append(request, Bytes(6));
  append(request, ipv4(wanted));
  return ethernet(kBroadcast, from, 0x0806, request);
}

}  // namespace cede::test
