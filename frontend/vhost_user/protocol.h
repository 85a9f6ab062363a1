// SPDX-License-Identifier: Apache-2.0
// vhost-user messages as they travel (QEMU docs/interop/vhost-user.rst, "Message Specification").
//
// A stream socket; every message is a Header, `size` bytes of payload, and descriptors beside the
// first byte. Machine byte order. Only x86-64 and other little-endian hosts are built.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cede::vhost_user {

enum class Request : std::uint32_t {
  GetFeatures = 1,
  SetFeatures = 2,
  SetOwner = 3,
  ResetOwner = 4,
  SetMemTable = 5,
  SetVringNum = 8,
  SetVringAddr = 9,
  SetVringBase = 10,
  GetVringBase = 11,
  SetVringKick = 12,
  SetVringCall = 13,
  SetVringErr = 14,
  GetProtocolFeatures = 15,
  SetProtocolFeatures = 16,
  GetQueueNum = 17,
  SetVringEnable = 18,
  SetMtu = 20,
  GetConfig = 24,
  SetConfig = 25,
  GetInflightFd = 31,
  SetInflightFd = 32,
  GetMaxMemSlots = 36,
  AddMemReg = 37,
  RemMemReg = 38,
  SetStatus = 39,
  GetStatus = 40,
};

struct Header {
  Request request{};
  std::uint32_t flags = 0;
  std::uint32_t size = 0;  // of the payload, bytes

  static constexpr std::uint32_t kVersionMask = 3;
  static constexpr std::uint32_t kVersion = 1;
  static constexpr std::uint32_t kReply = 4;
  static constexpr std::uint32_t kNeedReply = 8;
};
static_assert(sizeof(Header) == 12);

// A bit of SET_FEATURES beside virtio's own.
inline constexpr unsigned kFeatureProtocolFeatures = 30;

namespace protocol_feature {
inline constexpr unsigned kMultiQueue = 0;
inline constexpr unsigned kReplyAck = 3;
inline constexpr unsigned kMtu = 4;
inline constexpr unsigned kConfig = 9;
inline constexpr unsigned kInflightShmfd = 12;
inline constexpr unsigned kConfigureMemSlots = 15;
inline constexpr unsigned kStatus = 16;
}  // namespace protocol_feature

[[nodiscard]] constexpr std::uint64_t bit(unsigned number) noexcept {
  return 1ULL << number;
}

struct VringState {
  std::uint32_t index = 0;
  std::uint32_t number = 0;
};

// User addresses of the front-end.
struct VringAddress {
  std::uint32_t index = 0;
  std::uint32_t flags = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t used = 0;
  std::uint64_t available = 0;
  std::uint64_t log = 0;
};
static_assert(sizeof(VringState) == 8 && sizeof(VringAddress) == 40);

// SET_VRING_KICK, _CALL and _ERR: the queue's index, and whether a descriptor comes along.
struct VringFd {
  std::uint64_t value = 0;

  static constexpr std::uint64_t kIndexMask = 0xff;
  static constexpr std::uint64_t kNoFd = 0x100;
};

struct MemoryRegion {
  std::uint64_t guest_address = 0;
  std::uint64_t size = 0;
  std::uint64_t user_address = 0;
  std::uint64_t mmap_offset = 0;
};

inline constexpr std::size_t kMaxTableRegions = 8;

struct MemoryTableHeader {
  std::uint32_t regions = 0;
  std::uint32_t padding = 0;
};

struct SingleRegion {
  std::uint64_t padding = 0;
  MemoryRegion region;
};
static_assert(sizeof(MemoryRegion) == 32 && sizeof(SingleRegion) == 40);

struct ConfigHeader {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};
inline constexpr std::size_t kMaxConfigBytes = 256;

// GET_INFLIGHT_FD and SET_INFLIGHT_FD. QEMU sends the padding at its end as well (24 bytes in all),
// others do not (20): the answer has the size of the question.
struct InflightDescription {
  std::uint64_t mmap_size = 0;
  std::uint64_t mmap_offset = 0;
  std::uint16_t queues = 0;
  std::uint16_t queue_size = 0;
  std::uint32_t padding = 0;

  static constexpr std::size_t kShortBytes = 20;
};
static_assert(sizeof(InflightDescription) == 24);

inline constexpr std::size_t kMaxPayload = 512;
inline constexpr std::size_t kMaxMessageFds = kMaxTableRegions;

}  // namespace cede::vhost_user
