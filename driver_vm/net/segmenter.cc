// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/segmenter.h"

#include <algorithm>

namespace cede::driver {
namespace {

constexpr std::uint32_t kIp = net::kHeaderBytes;
constexpr std::uint32_t kIpv4Length = kIp + 2;
constexpr std::uint32_t kIpv4Id = kIp + 4;
constexpr std::uint32_t kIpv4Checksum = kIp + 10;
constexpr std::uint32_t kIpv4Addresses = kIp + 12;
constexpr std::uint32_t kIpv6Length = kIp + 4;
constexpr std::uint32_t kIpv6Addresses = kIp + 8;
constexpr std::uint32_t kIpv6Header = 40;

}  // namespace

Segmenter::Segmenter(Frame& frame, bool tagged) noexcept
    : frame_(frame),
      ipv6_(frame.ether_type() == EtherType::kIpv6),
      begin_(tagged ? kTagBytes : 0),
      step_(frame.header(false).gso_size) {
  const auto head = frame.pieces(tagged)[0];
  std::memcpy(headers_.data(), head.data(), begin_ + frame.payload());
}

bool Segmenter::next(Pieces& pieces) noexcept {
  const std::uint32_t total = frame_.length() - frame_.payload();
  if (done_ == total) return false;
  const std::uint32_t size = std::min(step_, total - done_);
  const auto payload = frame_.range(frame_.payload() + done_, size);
  write_network_header(size);
  if (frame_.udp()) {
    set(frame_.transport() + UdpHeader::kLength,
        swap16(static_cast<std::uint16_t>(net::kUdpHeaderBytes + size)));
  } else {
    write_tcp_header(done_ + size == total);
  }
  write_transport_checksum(payload);
  pieces = {std::span(headers_.data(), begin_ + frame_.payload()), payload[0], payload[1]};
  done_ += size;
  ++cut_;
  return true;
}

void Segmenter::write_network_header(std::uint32_t payload) noexcept {
  const std::uint32_t length = frame_.payload() - kIp + payload;
  if (ipv6_) {
    set(kIpv6Length, swap16(static_cast<std::uint16_t>(length - kIpv6Header)));
    return;
  }
  set(kIpv4Length, swap16(static_cast<std::uint16_t>(length)));
  if (cut_ != 0) {
    set(kIpv4Id, swap16(static_cast<std::uint16_t>(swap16(get<std::uint16_t>(kIpv4Id)) + 1)));
  }
  set(kIpv4Checksum, std::uint16_t{0});
  InternetSum sum;
  sum.add(std::span(headers_.data() + begin_ + kIp, frame_.transport() - kIp));
  set(kIpv4Checksum, sum.checksum());
}

void Segmenter::write_tcp_header(bool last) noexcept {
  const std::uint32_t tcp = frame_.transport();
  if (cut_ != 0) {
    set(tcp + TcpHeader::kSequence,
        swap32(swap32(get<std::uint32_t>(tcp + TcpHeader::kSequence)) + step_));
  }
  // The flags of the first cut are the frame's own but for the last's; CWR is for the first alone.
  auto flags = static_cast<std::uint8_t>(*frame_.judged(tcp + TcpHeader::kFlags, 1));
  if (!last) flags &= static_cast<std::uint8_t>(~(TcpHeader::kFin | TcpHeader::kPush));
  if (cut_ != 0) flags &= static_cast<std::uint8_t>(~TcpHeader::kCwr);
  set(tcp + TcpHeader::kFlags, flags);
}

void Segmenter::write_transport_checksum(
    const std::array<std::span<const std::byte>, 2>& payload) noexcept {
  const std::uint32_t transport = frame_.transport();
  const std::uint32_t header_bytes = frame_.payload() - transport;
  const std::uint32_t field =
      transport + (frame_.udp() ? UdpHeader::kChecksum : TcpHeader::kChecksum);
  set(field, std::uint16_t{0});
  const auto bytes =
      static_cast<std::uint32_t>(header_bytes + payload[0].size() + payload[1].size());
  InternetSum sum;
  const std::byte* const ip = headers_.data() + begin_;
  sum.add(ipv6_ ? std::span(ip + kIpv6Addresses, 32) : std::span(ip + kIpv4Addresses, 8));
  sum.add_word(frame_.udp() ? IpProtocol::kUdp : IpProtocol::kTcp);
  sum.add_word(static_cast<std::uint16_t>(bytes));
  sum.add(std::span(ip + transport, header_bytes));
  for (const auto& piece : payload) sum.add(piece);
  set(field, frame_.udp() ? sum.checksum_not_zero() : sum.checksum());
}

}  // namespace cede::driver
