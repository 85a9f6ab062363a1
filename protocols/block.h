// SPDX-License-Identifier: Apache-2.0
// Block slots: virtio's vocabulary (virtio 1.2, section 5.2.6) on Cede's rings.
//
// A request names one extent of the session's payload pages; regions are contiguous, so there are
// no scatter lists. Offsets count bytes from the start of the region. Sectors are 512 bytes
// whatever the disk's logical block is; sector and length are multiples of the logical block.
//
//   type                       sector  length               offset
//   VIRTIO_BLK_T_IN            first   up to max_transfer   the driver writes the payload here
//   VIRTIO_BLK_T_OUT           first   up to max_transfer   the driver reads the payload here
//   VIRTIO_BLK_T_FLUSH         0       0                    0
//   VIRTIO_BLK_T_DISCARD       first   up to max_erase      0
//   VIRTIO_BLK_T_WRITE_ZEROES  first   up to max_erase      0; kUnmap: may be deallocated
//   VIRTIO_BLK_T_GET_ID        0       VIRTIO_BLK_ID_BYTES  the driver writes the serial here
//
// Order: none between requests in flight. A flush covers every write whose response was published
// before the flush was; force-unit-access is a write, its response, then a flush.
// An extent belongs to the backend from publication to the response, and to the frontend otherwise.
// Ids are the frontend's, below the ring's slots, unique among those in flight.
#pragma once

#include <linux/virtio_blk.h>

#include <cstdint>

#include "protocols/shared_memory.h"

namespace cede::block {

inline constexpr std::uint32_t kSectorBytes = 512;

struct Request {
  std::uint16_t type = 0;   // VIRTIO_BLK_T_*
  std::uint16_t flags = 0;  // kUnmap or 0
  std::uint32_t id = 0;
  std::uint64_t sector = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // bytes
  std::uint32_t reserved = 0;

  static constexpr std::uint16_t kUnmap = 1;

  // Does it move its extent of the payload pages?
  [[nodiscard]] constexpr bool transfers() const noexcept {
    return type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_OUT;
  }
};

struct Response {
  std::uint32_t id = 0;
  std::uint32_t status = 0;  // VIRTIO_BLK_S_OK, _IOERR or _UNSUPP
};

inline constexpr std::uint16_t kSlotBytes = 32;
static_assert(sizeof(Request) == kSlotBytes && SharedRecord<Request>);
static_assert(sizeof(Response) <= kSlotBytes && SharedRecord<Response>);

// What the driver says of a volume when it accepts a session; the broker carries it unread. A
// frontend checks valid() before it believes a word.
struct Info {
  std::uint64_t sectors = 0;         // capacity
  std::uint32_t logical_block = 0;   // bytes, a power of two, 512 to 4096
  std::uint32_t physical_block = 0;  // bytes, a power of two, logical_block to 65536
  std::uint32_t max_transfer = 0;    // bytes, at least logical_block
  std::uint32_t max_erase = 0;       // bytes in one discard or write-zeroes
  std::uint32_t features = 0;        // kReadOnly | kFlush | kDiscard | kWriteZeroes
  std::uint32_t reserved = 0;
  char serial[VIRTIO_BLK_ID_BYTES] = {};  // zero-padded, no terminator when full
  std::uint32_t reserved2 = 0;

  static constexpr std::uint32_t kReadOnly = 1;
  static constexpr std::uint32_t kFlush = 2;
  static constexpr std::uint32_t kDiscard = 4;
  static constexpr std::uint32_t kWriteZeroes = 8;

  [[nodiscard]] constexpr bool valid() const noexcept {
    const auto power_of_two = [](std::uint32_t n) { return n != 0 && (n & (n - 1)) == 0; };
    return power_of_two(logical_block) && logical_block >= kSectorBytes && logical_block <= 4096 &&
           power_of_two(physical_block) && physical_block >= logical_block &&
           physical_block <= 65536 && max_transfer >= logical_block &&
           max_transfer % logical_block == 0 && max_erase % logical_block == 0 &&
           sectors % (logical_block / kSectorBytes) == 0 && sectors <= (UINT64_MAX >> 9);
  }
};

static_assert(sizeof(Info) == 56 && SharedRecord<Info>);

}  // namespace cede::block
