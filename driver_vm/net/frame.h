// SPDX-License-Identifier: Apache-2.0
// A frame on its way through the switch.
//
// Its first bytes are a private copy, made once, and every decision is made on that copy; receivers
// get the copy too. The rest stays in the sender's pages and is only ever copied on. So a sender
// that writes while it is served can spoil its payload and nothing that was judged.
//
// Held without its VLAN tag, whose content is kept beside it: offsets count as if there were none,
// and the frame leaves with a tag or without, as its receiver's port wants it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "driver_vm/net/checksum.h"
#include "protocols/net.h"

namespace cede::driver {

// A MAC address as a number; its first byte is the lowest.
using Mac = std::uint64_t;
[[nodiscard]] inline Mac mac_at(const std::byte* six) noexcept {
  Mac mac = 0;
  std::memcpy(&mac, six, 6);
  return mac;
}
[[nodiscard]] inline Mac mac_of(const net::MacAddress& address) noexcept {
  return mac_at(reinterpret_cast<const std::byte*>(address.bytes));
}
[[nodiscard]] constexpr bool is_multicast(Mac mac) noexcept {
  return (mac & 1) != 0;
}

// IEEE 802 numbers and IANA's protocol numbers.
struct EtherType {
  static constexpr std::uint16_t kIpv4 = 0x0800;
  static constexpr std::uint16_t kArp = 0x0806;
  static constexpr std::uint16_t kVlan = 0x8100;
  static constexpr std::uint16_t kIpv6 = 0x86DD;
  static constexpr std::uint16_t kServiceVlan = 0x88A8;
};
[[nodiscard]] constexpr bool is_tag(std::uint16_t ether_type) noexcept {
  return ether_type == EtherType::kVlan || ether_type == EtherType::kServiceVlan;
}
struct IpProtocol {
  static constexpr std::uint8_t kHopOptions = 0;
  static constexpr std::uint8_t kTcp = 6;
  static constexpr std::uint8_t kUdp = 17;
  static constexpr std::uint8_t kDestinationOptions = 60;
};

// Where the fields are that offloads write, from the header's beginning (RFC 9293, RFC 768).
struct TcpHeader {
  static constexpr std::uint32_t kBytes = 20;  // without options
  static constexpr std::uint32_t kSequence = 4;
  static constexpr std::uint32_t kFlags = 13;
  static constexpr std::uint32_t kChecksum = 16;
  static constexpr std::uint8_t kFin = 0x01;
  static constexpr std::uint8_t kPush = 0x08;
  static constexpr std::uint8_t kCwr = 0x80;
};
struct UdpHeader {
  static constexpr std::uint32_t kLength = 4;
  static constexpr std::uint32_t kChecksum = 6;
};

inline constexpr std::uint32_t kTagBytes = 4;
inline constexpr std::uint16_t kVlanMask = 0x0FFF;

// Consecutive bytes of a frame, in up to three places.
using Pieces = std::array<std::span<const std::byte>, 3>;

class Frame {
 public:
  // Enough for every header that the switch looks into, with options.
  static constexpr std::uint32_t kHeadBytes = 256;

  // Takes in `length` bytes that others may be writing; they have to stay where they are until the
  // frame has been delivered. False: malformed, that is too short, too long, or with a header that
  // contradicts the frame.
  [[nodiscard]] bool load(const net::Header& header, const std::byte* bytes,
                          std::uint32_t length) noexcept;

  [[nodiscard]] Mac destination() const noexcept { return destination_; }
  [[nodiscard]] Mac source() const noexcept { return source_; }
  [[nodiscard]] std::uint16_t ether_type() const noexcept { return ether_type_; }
  // 0: none.
  [[nodiscard]] std::uint16_t vlan() const noexcept { return tag_ & kVlanMask; }
  // With the lowest priority, whatever it had.
  void set_vlan(std::uint16_t vlan) noexcept { tag_ = vlan; }

  // Without the tag.
  [[nodiscard]] std::uint32_t length() const noexcept { return head_size_ + rest_size_; }
  // The longest IP packet (or other payload) in it: of a segment to be cut, one cut.
  [[nodiscard]] std::uint32_t network_length() const noexcept {
    return (segmented() ? payload_ + header_.gso_size : length()) - net::kHeaderBytes;
  }
  // How many frames it is on a wire.
  [[nodiscard]] std::uint32_t wire_frames() const noexcept {
    return segmented() ? (length() - payload_ + header_.gso_size - 1U) / header_.gso_size : 1;
  }
  // What its receiver has to understand (Offload bits) to take it as it is.
  [[nodiscard]] std::uint32_t needs() const noexcept { return needs_; }
  [[nodiscard]] bool segmented() const noexcept {
    return header_.gso_type != VIRTIO_NET_HDR_GSO_NONE;
  }
  // Of a segmented frame: UDP or TCP, and where its header and its payload begin.
  [[nodiscard]] bool udp() const noexcept { return header_.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4; }
  [[nodiscard]] std::uint32_t transport() const noexcept { return header_.csum_start; }
  [[nodiscard]] std::uint32_t payload() const noexcept { return payload_; }

  // The judged bytes from `offset` on; 12 at least. Empty where there are less than `size`.
  [[nodiscard]] const std::byte* judged(std::uint32_t offset, std::uint32_t size) const noexcept {
    return offset + size <= head_size_ ? head_.data() + begin_ + offset : nullptr;
  }
  // [offset, offset + size) of the frame, from beyond the addresses: judged bytes, then others.
  [[nodiscard]] std::array<std::span<const std::byte>, 2> range(std::uint32_t offset,
                                                                std::uint32_t size) const noexcept;
  // All of it.
  [[nodiscard]] Pieces pieces(bool tagged) noexcept;
  // Its header, with offsets into pieces(tagged).
  [[nodiscard]] net::Header header(bool tagged) const noexcept;
  // Does the transport checksum, as far as it was left to do. Not for segments.
  void complete_checksum() noexcept;

 private:
  [[nodiscard]] bool strip_tag() noexcept;
  [[nodiscard]] bool find_payload() noexcept;
  [[nodiscard]] std::uint32_t network_end() const noexcept;
  [[nodiscard]] std::uint32_t find_in_ipv4(std::uint8_t protocol) const noexcept;
  [[nodiscard]] std::uint32_t find_in_ipv6(std::uint8_t protocol) const noexcept;
  void set_tagged(bool tagged) noexcept;
  [[nodiscard]] std::uint16_t word(std::uint32_t offset) const noexcept {
    std::uint16_t value = 0;
    std::memcpy(&value, head_.data() + begin_ + offset, sizeof value);
    return swap16(value);
  }
  [[nodiscard]] std::uint8_t byte(std::uint32_t offset) const noexcept {
    return static_cast<std::uint8_t>(head_[begin_ + offset]);
  }

  // Aligned, and so first: anywhere else there would be a gap before it.
  alignas(kCacheLine) std::array<std::byte, kTagBytes + kHeadBytes> head_;
  net::Header header_{};
  Mac destination_ = 0;
  Mac source_ = 0;
  std::uint16_t ether_type_ = 0;
  std::uint16_t tag_ = 0;
  bool tagged_ = false;          // which form the addresses have now
  std::uint32_t begin_ = 0;      // of the untagged form in head_; a tag has room before it
  std::uint32_t head_size_ = 0;  // of the untagged form
  std::uint32_t rest_size_ = 0;
  std::uint32_t payload_ = 0;
  std::uint32_t needs_ = 0;
  const std::byte* rest_ = nullptr;
};

}  // namespace cede::driver
