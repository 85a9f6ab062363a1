// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/frame.h"

#include <algorithm>

namespace cede::driver {
namespace {

constexpr std::uint32_t kAddressBytes = 12;  // both addresses
constexpr std::uint16_t kFragment = 0x3FFF;  // more fragments, or an offset

}  // namespace

bool Frame::load(const net::Header& header, const std::byte* bytes, std::uint32_t length) noexcept {
  if (length < net::kMinFrame || length > net::kMaxFrame ||
      !net::consistent(header, length, net::Offload::kAll)) {
    return false;
  }
  header_ = header;
  header_.hdr_len = 0;  // a hint, and not ours
  header_.num_buffers = 0;
  begin_ = kTagBytes;
  head_size_ = std::min(length, kHeadBytes);
  std::memcpy(head_.data() + begin_, bytes, head_size_);
  rest_ = bytes + head_size_;
  rest_size_ = length - head_size_;
  tagged_ = false;
  tag_ = 0;
  needs_ = 0;
  destination_ = mac_at(head_.data() + begin_);
  source_ = mac_at(head_.data() + begin_ + 6);
  ether_type_ = word(kAddressBytes);
  if (ether_type_ == EtherType::kVlan && !strip_tag()) return false;
  if (this->length() > net::kMaxFrame - kTagBytes) return false;  // a tag has to fit
  if ((header_.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) return true;
  needs_ = net::Offload::kChecksum;
  const std::uint32_t field = std::uint32_t{header_.csum_start} + header_.csum_offset;
  if (header_.csum_start < network_end() || field + 2 > head_size_) return false;
  return !segmented() || find_payload();
}

bool Frame::strip_tag() noexcept {
  if (head_size_ < net::kHeaderBytes + kTagBytes) return false;
  tag_ = word(net::kHeaderBytes);
  std::memmove(head_.data() + begin_ + kTagBytes, head_.data() + begin_, kAddressBytes);
  begin_ += kTagBytes;
  head_size_ -= kTagBytes;
  ether_type_ = word(kAddressBytes);
  if ((header_.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
    if (header_.csum_start < net::kHeaderBytes + kTagBytes) return false;
    header_.csum_start = static_cast<std::uint16_t>(header_.csum_start - kTagBytes);
  }
  return true;
}

// Where a transport's header can begin at the earliest. Its checksum is written after the frame was
// judged, and must not end up in what was.
std::uint32_t Frame::network_end() const noexcept {
  switch (ether_type_) {
    case EtherType::kIpv4:
      return net::kHeaderBytes + std::max(20U, (byte(net::kHeaderBytes) & 0x0FU) * 4U);
    case EtherType::kIpv6:
      return net::kHeaderBytes + 40;
    case EtherType::kArp:
      return UINT32_MAX;  // it has no checksum
    default:
      return net::kHeaderBytes;
  }
}

bool Frame::find_payload() noexcept {
  // TCP's types name the version of IP; the one of UDP is for both.
  const bool ipv6 = udp()
                        ? ether_type_ == EtherType::kIpv6
                        : (header_.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV6;
  const std::uint8_t protocol = udp() ? IpProtocol::kUdp : IpProtocol::kTcp;
  const std::uint32_t at = ipv6 ? find_in_ipv6(protocol) : find_in_ipv4(protocol);
  const std::uint32_t least = udp() ? net::kUdpHeaderBytes : TcpHeader::kBytes;
  if (at == 0 || at != header_.csum_start ||
      header_.csum_offset != (udp() ? UdpHeader::kChecksum : TcpHeader::kChecksum) ||
      at + least > head_size_) {
    return false;
  }
  const std::uint32_t header_bytes = udp() ? least : (byte(at + 12) >> 4) * 4U;
  payload_ = at + header_bytes;
  if (header_bytes < least || payload_ > head_size_) return false;
  if (length() - payload_ <= header_.gso_size) {  // nothing to cut
    header_.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    header_.gso_size = 0;
    return true;
  }
  header_.hdr_len = static_cast<std::uint16_t>(payload_);
  if (udp()) {
    needs_ |= net::Offload::kUso;
    return true;
  }
  needs_ |= ipv6 ? net::Offload::kTso6 : net::Offload::kTso4;
  header_.gso_type = ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
  if ((byte(at + TcpHeader::kFlags) & TcpHeader::kCwr) != 0) {
    needs_ |= net::Offload::kEcn;
    header_.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
  }
  return true;
}

std::uint32_t Frame::find_in_ipv4(std::uint8_t protocol) const noexcept {
  constexpr std::uint32_t kIp = net::kHeaderBytes;
  if (ether_type_ != EtherType::kIpv4 || kIp + 20 > head_size_) return 0;
  const std::uint32_t header_bytes = (byte(kIp) & 0x0F) * 4U;
  if (byte(kIp) >> 4 != 4 || header_bytes < 20 || byte(kIp + 9) != protocol ||
      (word(kIp + 6) & kFragment) != 0) {
    return 0;
  }
  return kIp + header_bytes;
}

std::uint32_t Frame::find_in_ipv6(std::uint8_t protocol) const noexcept {
  constexpr std::uint32_t kIp = net::kHeaderBytes;
  if (ether_type_ != EtherType::kIpv6 || kIp + 40 > head_size_ || byte(kIp) >> 4 != 6) return 0;
  std::uint8_t next = byte(kIp + 6);
  std::uint32_t at = kIp + 40;
  while (next == IpProtocol::kHopOptions || next == IpProtocol::kDestinationOptions) {
    if (at + 8 > head_size_) return 0;
    next = byte(at);
    at += (byte(at + 1) + 1U) * 8;
  }
  return next == protocol ? at : 0;
}

std::array<std::span<const std::byte>, 2> Frame::range(std::uint32_t offset,
                                                       std::uint32_t size) const noexcept {
  const std::uint32_t judged = offset < head_size_ ? std::min(size, head_size_ - offset) : 0;
  const std::uint32_t beyond = offset < head_size_ ? 0 : offset - head_size_;
  return {std::span(head_.data() + begin_ + offset, judged),
          std::span(rest_ + beyond, size - judged)};
}

Pieces Frame::pieces(bool tagged) noexcept {
  set_tagged(tagged);
  const std::uint32_t room = tagged ? kTagBytes : 0;
  return {
      std::span(head_.data() + begin_ - room, head_size_ + room), std::span(rest_, rest_size_), {}};
}

net::Header Frame::header(bool tagged) const noexcept {
  net::Header header = header_;
  if (tagged && needs_ != 0)
    header.csum_start = static_cast<std::uint16_t>(header.csum_start + kTagBytes);
  if (tagged && header.hdr_len != 0)
    header.hdr_len = static_cast<std::uint16_t>(header.hdr_len + kTagBytes);
  return header;
}

void Frame::set_tagged(bool tagged) noexcept {
  std::byte* const untagged = head_.data() + begin_;
  if (tagged) {
    if (!tagged_) std::memmove(untagged - kTagBytes, untagged, kAddressBytes);
    const std::uint16_t tag[2] = {swap16(EtherType::kVlan), swap16(tag_)};
    std::memcpy(untagged - kTagBytes + kAddressBytes, tag, sizeof tag);
  } else if (tagged_) {
    std::memmove(untagged, untagged - kTagBytes, kAddressBytes);
  }
  tagged_ = tagged;
}

void Frame::complete_checksum() noexcept {
  InternetSum sum;
  for (const auto& piece : range(header_.csum_start, length() - header_.csum_start)) sum.add(piece);
  // Elsewhere than in UDP both zeros are the same number.
  const std::uint16_t checksum = sum.checksum_not_zero();
  std::memcpy(head_.data() + begin_ + header_.csum_start + header_.csum_offset, &checksum,
              sizeof checksum);
  header_.flags = 0;
  header_.csum_start = 0;
  header_.csum_offset = 0;
  needs_ = 0;
}

}  // namespace cede::driver
