// SPDX-License-Identifier: Apache-2.0
// Net slots: Ethernet frames with virtio's header (virtio 1.3, section 5.1.6) on Cede's rings.
//
// A session is one port of the driver's switch. Its rings, all of one shape:
//
//   0          control
//   1 + 2*q    transmit of queue pair q: frames from the client
//   2 + 2*q    receive of queue pair q: buffers for frames to the client
//
// Transmit: one request is one frame, in one extent of the payload pages. The virtio header travels
// in the slot, so that one copy takes both: checksum and segmentation are left to whoever comes
// last, and a frame may be as long as kMaxFrame. The answer says that the driver is done with the
// extent, and whether the frame was at fault; whether anybody received it, nobody is told.
//
// Receive: one request is one buffer, one extent of at least kMinBuffer bytes. A frame that is
// longer than its first buffer goes on in the next ones; the header in the first answer counts them
// (num_buffers), and each answer says how many bytes are in its buffer. All buffers of a frame are
// published together. A frame for which there are too few buffers is dropped and uses none up.
//
// Both are answered in the order of their requests, so neither carries an id. An extent belongs to
// the driver from publication to answer. Frames of one flow stay in order: of one transmit ring, to
// one receive ring.
//
// Control: requests are answered in any order, by id (below the ring's slots, unique among those in
// flight). Unknown types are answered kUnsupported.
//
//   SetOffloads  value = Offload bits that the client understands on receive, none at first. Frames
//                published after the answer keep to it: the driver completes checksums and cuts
//                segments for a client that cannot.
//   AwaitLink    value = a LinkState as the client knows it; answered with the present one as soon
//                as it differs. At most one at a time; another is answered kRefused.
#pragma once

#include <bit>
#include <cstdint>

#include "protocols/session.h"
#include "protocols/shared_memory.h"
#include "protocols/virtio_net.h"

namespace cede::net {

using Header = virtio_net_hdr_v1;  // 12 bytes, little-endian

inline constexpr std::uint32_t kHeaderBytes = 14;         // Ethernet, without a VLAN tag
inline constexpr std::uint32_t kMinFrame = kHeaderBytes;  // shorter ones are runts
inline constexpr std::uint32_t kMaxFrame =
    kHeaderBytes + 4 + 65536;  // a segment before its cutting
inline constexpr std::uint32_t kMinBuffer = 1024;
inline constexpr std::uint32_t kMaxParts = kMaxFrame / kMinBuffer + 1;  // buffers of one frame
inline constexpr std::uint16_t kMinMtu = 68;                            // RFC 791
inline constexpr std::uint16_t kMaxMtu = 65521;  // the MTU that virtio allows at most

struct Transmit {
  std::uint32_t offset = 0;  // from the start of the region
  std::uint32_t length = 0;  // bytes of the frame, kMinFrame to kMaxFrame
  Header header{};           // num_buffers is not looked at
  std::uint32_t reserved[3] = {};
};

// Why a frame was not taken: faults of the sender's own, which tell it nothing of the others.
enum class Verdict : std::uint32_t {
  Taken = 0,
  Malformed = 1,  // too short, too long, or a header that contradicts the frame
  Forbidden = 2,  // an address or a VLAN that is not the port's
  Limited = 3,    // over the port's rate
};

struct Transmitted {
  Verdict verdict = Verdict::Taken;
  std::uint32_t reserved = 0;
};

struct Buffer {
  std::uint32_t offset = 0;  // from the start of the region
  std::uint32_t length = 0;  // bytes, at least kMinBuffer
};

struct Received {
  std::uint32_t length = 0;  // bytes in this buffer, at least 1
  Header header{};           // in the first answer of a frame; later ones have zeroes
};

struct Control {
  enum class Type : std::uint16_t { SetOffloads = 1, AwaitLink = 2 };

  Type type{};
  std::uint16_t reserved = 0;
  std::uint32_t id = 0;
  std::uint64_t value = 0;
};

struct Controlled {
  static constexpr std::uint32_t kOk = 0;
  static constexpr std::uint32_t kUnsupported = 1;
  static constexpr std::uint32_t kRefused = 2;

  std::uint32_t id = 0;
  std::uint32_t status = kOk;
  std::uint64_t value = 0;
};

inline constexpr std::uint16_t kSlotBytes = 32;
static_assert(sizeof(Transmit) == kSlotBytes && SharedRecord<Transmit>);
static_assert(sizeof(Transmitted) == 8 && SharedRecord<Transmitted>);
static_assert(sizeof(Buffer) == 8 && SharedRecord<Buffer>);
static_assert(sizeof(Received) == 16 && SharedRecord<Received>);
static_assert(sizeof(Control) == 16 && SharedRecord<Control>);
static_assert(sizeof(Controlled) == 16 && SharedRecord<Controlled>);

// What a receiver can leave undone in a frame.
struct Offload {
  static constexpr std::uint32_t kChecksum = 1;  // the transport checksum (NEEDS_CSUM)
  static constexpr std::uint32_t kTso4 = 2;
  static constexpr std::uint32_t kTso6 = 4;
  static constexpr std::uint32_t kEcn = 8;   // TSO of a segment with CWR set
  static constexpr std::uint32_t kUso = 16;  // of UDP, over IPv4 and IPv6
  static constexpr std::uint32_t kAll = 31;
};

// What bounds the cutting of one frame: not the length of a cut (a card that merges what it
// receives takes that of the first one, which may be a byte), but how many there are. Of TCP as
// many as the longest frame has at Linux's least MSS; of UDP, UDP_MAX_SEGMENTS of Linux 6.9 (64
// before).
inline constexpr std::uint32_t kMaxSegments = kMaxFrame / 48;
inline constexpr std::uint32_t kMaxDatagrams = 128;
inline constexpr std::uint32_t kUdpHeaderBytes = 8;

// Does the header of a frame of `length` bytes make sense by itself, and ask for nothing beyond
// `offloads`? Whoever acts on a header checks this first; that the frame carries the protocol that
// the header claims is for whoever cuts it to find out. num_buffers is not looked at.
[[nodiscard]] constexpr bool consistent(const Header& header, std::uint32_t length,
                                        std::uint32_t offloads) noexcept {
  constexpr std::uint8_t kFlags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
  const bool checksum = (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
  const auto may = [&](std::uint32_t bits) { return (offloads & bits) == bits; };
  if ((header.flags & ~kFlags) != 0 || header.hdr_len > length) return false;
  if (header.flags != 0 && !may(Offload::kChecksum)) return false;
  if (checksum && (header.csum_start < kHeaderBytes || header.csum_start > length ||
                   header.csum_offset > length - header.csum_start ||
                   2U > length - header.csum_start - header.csum_offset)) {
    return false;
  }
  const bool ecn = (header.gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
  switch (header.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
      return !ecn;
    case VIRTIO_NET_HDR_GSO_TCPV4:
      if (!may(Offload::kTso4)) return false;
      break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
      if (!may(Offload::kTso6)) return false;
      break;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
      // The checksum begins where the UDP header does.
      return may(Offload::kUso) && checksum && !ecn && header.gso_size != 0 &&
             length - header.csum_start <= kUdpHeaderBytes + kMaxDatagrams * header.gso_size;
    default:
      return false;
  }
  return checksum && header.gso_size != 0 && length <= kMaxSegments * header.gso_size &&
         (!ecn || may(Offload::kEcn));
}

// The port's present state, as a value of AwaitLink.
struct LinkState {
  bool up = false;
  std::uint16_t mtu = 0;

  friend constexpr bool operator==(LinkState, LinkState) = default;
  [[nodiscard]] constexpr std::uint64_t value() const noexcept {
    return (up ? 1ULL << 32 : 0) | mtu;
  }
  [[nodiscard]] static constexpr LinkState of(std::uint64_t value) noexcept {
    return {(value >> 32 & 1) != 0, static_cast<std::uint16_t>(value)};
  }
};

inline constexpr std::uint16_t kMaxPairs = (Geometry::kMaxRings - 1) / 2;
inline constexpr std::uint16_t kControlRing = 0;
[[nodiscard]] constexpr std::uint16_t transmit_ring(std::uint16_t pair) noexcept {
  return static_cast<std::uint16_t>(1 + 2 * pair);
}
[[nodiscard]] constexpr std::uint16_t receive_ring(std::uint16_t pair) noexcept {
  return static_cast<std::uint16_t>(2 + 2 * pair);
}
[[nodiscard]] constexpr std::uint16_t rings_for(std::uint16_t pairs) noexcept {
  return static_cast<std::uint16_t>(1 + 2 * pairs);
}

// Receive buffers as our frontends post them: a frame of an MTU of 1500 fits into one, and a ring
// of them is as long as its memory allows. A receiver that is woken late finds its frames in it.
inline constexpr std::uint32_t kBufferBytes = 2048;
// Of each ring: with fewer, a frame of full length finds too few receive buffers.
inline constexpr std::uint32_t kMinSlots = 64;
static_assert(kMinSlots * kBufferBytes >= kMaxFrame);
// Where nothing speaks against it: as long as the queue that Linux gives a TAP. Where threads share
// processors a receiver sleeps for milliseconds, and what finds no buffer then is lost.
inline constexpr std::uint32_t kSlots = 1024;

// What a client asks the broker for as a port of `pairs` queue pairs, with rings of `slots` (a
// power of two, kMinSlots or more): a receive buffer for each slot, and nearly as much again for
// frames under way. With kSlots that is 30 segments of 64 KiB each way, and 4 MiB in all; with half
// of them it is half of both.
[[nodiscard]] constexpr Geometry port_geometry(std::uint16_t pairs, std::uint32_t slots) noexcept {
  Geometry geometry{.rings = rings_for(pairs), .slot_bytes = kSlotBytes, .slots = slots};
  const std::uint64_t least = geometry.data_offset() / kPageBytes + pairs * (slots / 16 * 15ULL);
  if (least <= Geometry::kMaxPages)
    geometry.pages = std::bit_ceil(static_cast<std::uint32_t>(least));
  return geometry;
}
static_assert(port_geometry(1, kSlots).pages == 1024 && port_geometry(1, 512).pages == 512);

struct MacAddress {
  std::uint8_t bytes[6] = {};

  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;
  [[nodiscard]] constexpr bool multicast() const noexcept { return (bytes[0] & 1) != 0; }
  [[nodiscard]] constexpr bool zero() const noexcept { return *this == MacAddress{}; }
};

// What the driver says of a port when it accepts a session; the broker carries it unread. A
// frontend checks valid() before it believes a word.
struct Info {
  MacAddress mac;              // the port's own
  std::uint16_t mtu = 0;       // kMinMtu to kMaxMtu: the longest frame that is not a segment
  std::uint32_t offloads = 0;  // what the driver takes on transmit: Offload bits
  std::uint32_t link_up = 0;   // 0 or 1
  std::uint32_t reserved[12] = {};

  [[nodiscard]] constexpr bool valid() const noexcept {
    return !mac.multicast() && !mac.zero() && mtu >= kMinMtu && mtu <= kMaxMtu &&
           (offloads & ~Offload::kAll) == 0 && link_up <= 1;
  }
};

static_assert(sizeof(Info) == 64 && SharedRecord<Info>);

}  // namespace cede::net
