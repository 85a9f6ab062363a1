// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/network.h"

#include <algorithm>
#include <cstring>

namespace cede::attack {
namespace {

using test::Bytes;

constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kArp = 0x0806;
constexpr std::uint16_t kExperimental = 0x88B5;
constexpr std::uint16_t kRequest = 1;
constexpr std::uint16_t kReply = 2;
constexpr std::size_t kIpSource = 26;
constexpr std::size_t kIpDestination = 30;

Bytes bytes_of(const net::MacAddress& mac) {
  return {mac.bytes, mac.bytes + sizeof mac.bytes};
}

Bytes ipv4_of(Host host) {
  return {10, 77, 0, static_cast<std::uint8_t>(host)};
}

Bytes ethernet(const net::MacAddress& to, const net::MacAddress& from, std::uint16_t type,
               const Bytes& payload) {
  Bytes frame = bytes_of(to);
  test::append(frame, bytes_of(from));
  test::append(frame, test::be16(type));
  test::append(frame, payload);
  return frame;
}

// RFC 826.
Bytes arp(std::uint16_t operation, const net::MacAddress& from, Host sender,
          const net::MacAddress& to, Host receiver) {
  Bytes packet = {0, 1, 8, 0, 6, 4};
  test::append(packet, test::be16(operation));
  test::append(packet, bytes_of(from));
  test::append(packet, ipv4_of(sender));
  test::append(packet, operation == kRequest ? Bytes(6) : bytes_of(to));
  test::append(packet, ipv4_of(receiver));
  return ethernet(to, from, kArp, packet);
}

// Puts the arena's addresses into a frame of the library's, and its checksums right.
void readdress(Bytes& frame, const net::MacAddress& to, const net::MacAddress& from, Host host) {
  std::memcpy(frame.data(), to.bytes, sizeof to.bytes);
  std::memcpy(frame.data() + sizeof to.bytes, from.bytes, sizeof from.bytes);
  std::ranges::copy(ipv4_of(Host::Mallory), frame.begin() + kIpSource);
  std::ranges::copy(ipv4_of(host), frame.begin() + kIpDestination);
  test::put16(frame, 24, 0);
  test::put16(frame, 24, ~test::ones_sum(test::slice(frame, 14, 20)) & 0xFFFF);
}

bool is_reply_of(const Bytes& frame, Host host) {
  return frame.size() > kArpSender && test::read16(frame, 12) == kArp &&
         test::read16(frame, 20) == kReply && frame[kArpSender] == static_cast<std::uint8_t>(host);
}

bool is_for_others(const Bytes& frame, const net::MacAddress& own) {
  if (frame.size() < 14 || (frame[0] & 1) != 0) return false;
  if (!std::ranges::equal(test::slice(frame, 0, 6), own.bytes)) return true;
  return test::read16(frame, 12) == kIpv4 && frame.size() >= kIpDestination + 4 &&
         test::slice(frame, kIpDestination, 4) != ipv4_of(Host::Mallory);
}

}  // namespace

Bytes plain_frame(const net::MacAddress& to, const net::MacAddress& from, std::size_t payload) {
  return ethernet(to, from, kExperimental, test::noise(payload));
}

Bytes arp_request(Client& client, Host wanted) {
  return arp(kRequest, client.port_info().mac, Host::Mallory, kEverybody, wanted);
}

Bytes arp_reply(const net::MacAddress& to, const net::MacAddress& from, Host sender,
                Host receiver) {
  return arp(kReply, from, sender, to, receiver);
}

Bytes echo_request(Client& client, const net::MacAddress& to, Host host, std::size_t payload) {
  Bytes icmp = {8, 0, 0, 0, 0, 1, 0, 1};
  test::append(icmp, test::noise(payload));
  test::put16(icmp, 2, ~test::ones_sum(icmp) & 0xFFFF);
  Bytes packet = test::Ip{.protocol = 1}.header(icmp.size());
  test::append(packet, icmp);
  Bytes frame = ethernet(to, client.port_info().mac, kIpv4, packet);
  readdress(frame, to, client.port_info().mac, host);
  return frame;
}

test::Partial tcp_segments(Client& client, const net::MacAddress& to, Host host,
                           std::size_t payload, std::uint16_t segment) {
  const test::Ip ip{.from = static_cast<test::Address>(Host::Mallory),
                    .to = static_cast<test::Address>(host)};
  test::Partial tcp = test::tcp(ip, test::noise(payload), segment);
  readdress(tcp.frame, to, client.port_info().mac, host);
  // The library's hosts are in 10.0, ours in 10.77: the pseudo header has both ends' 77.
  const std::size_t checksum = std::size_t{tcp.header.csum_start} + tcp.header.csum_offset;
  test::put16(tcp.frame, checksum, (test::read16(tcp.frame, checksum) + 2 * 77) % 0xFFFF);
  return tcp;
}

net::MacAddress find_host(Client& client, Host host) {
  test::NetClient& port = client.port();
  while (true) {
    port.post(1);
    (void)port.send(arp_request(client, host));
    const test::ReceivedFrame frame = port.receive();
    if (!is_reply_of(frame.bytes, host)) continue;
    net::MacAddress mac;
    std::copy_n(frame.bytes.begin() + 6, sizeof mac.bytes, mac.bytes);
    return mac;
  }
}

Eavesdropper::Eavesdropper(Client& client, std::uint32_t buffers) : client_(client) {
  client.port().post(buffers);
}

std::uint32_t Eavesdropper::look() {
  std::uint32_t count = 0;
  for (; !client_.port().silent(); ++count) {
    const test::ReceivedFrame frame = client_.port().receive();
    client_.port().post(1);
    if (heard_ || !is_for_others(frame.bytes, client_.port_info().mac)) continue;
    heard_ = true;
    client_.stage().broke("packets of others' come to the attacker");
  }
  return count;
}

net::Transmit place_frame(test::NetClient& port, const Bytes& frame, const net::Header& header) {
  std::memcpy(port.memory() + port.room(), frame.data(), frame.size());
  return {.offset = port.room(),
          .length = static_cast<std::uint32_t>(frame.size()),
          .header = header,
          .reserved = {}};
}

}  // namespace cede::attack
