// SPDX-License-Identifier: Apache-2.0
// Hostile and foolish requests, one a line.
#include "driver_vm/block/request_check.h"

#include <gtest/gtest.h>

#include <vector>

namespace cede::driver {
namespace {

using block::Info;
using block::Request;

constexpr Geometry kGeometry{.pages = 64, .rings = 2, .slot_bytes = 32, .slots = 32};
constexpr std::uint64_t kPayload = kGeometry.data_offset();
constexpr std::uint64_t kEnd = kGeometry.bytes();
constexpr Info kVolume{.sectors = 2048,
                       .logical_block = 512,
                       .physical_block = 4096,
                       .max_transfer = 65536,
                       .max_erase = 131072,
                       .features = Info::kFlush | Info::kDiscard | Info::kWriteZeroes};

enum Expected { kRun, kError, kUnsupported, kBroken };

Expected judged(const Request& request, const Info& info = kVolume) {
  const Judgement judgement = judge(request, info, kGeometry);
  switch (judgement.kind) {
    case Judgement::Kind::Run:
      return kRun;
    case Judgement::Kind::Broken:
      return kBroken;
    case Judgement::Kind::Answer:
      break;
  }
  return judgement.status == VIRTIO_BLK_S_UNSUPP ? kUnsupported : kError;
}

TEST(RequestCheck, Table) {
  struct Row {
    const char* what;
    Request request;
    Expected expected;
  };
  constexpr std::uint16_t kIn = VIRTIO_BLK_T_IN;
  constexpr std::uint16_t kOut = VIRTIO_BLK_T_OUT;
  constexpr std::uint16_t kFlush = VIRTIO_BLK_T_FLUSH;
  constexpr std::uint16_t kDiscard = VIRTIO_BLK_T_DISCARD;
  constexpr std::uint16_t kZeroes = VIRTIO_BLK_T_WRITE_ZEROES;
  constexpr std::uint16_t kGetId = VIRTIO_BLK_T_GET_ID;
  // type, flags, id, sector, offset, length, reserved
  const std::vector<Row> rows = {
      {"a read", {kIn, 0, 0, 0, kPayload, 4096, 0}, kRun},
      {"the last block into the last bytes", {kIn, 0, 0, 2047, kEnd - 512, 512, 0}, kRun},
      {"an unaligned extent", {kOut, 0, 0, 0, kPayload + 3, 512, 0}, kRun},
      {"a flush", {kFlush, 0, 0, 0, 0, 0, 0}, kRun},
      {"a discard of all that may be", {kDiscard, 0, 0, 0, 0, 131072, 0}, kRun},
      {"zeroes that may be a hole", {kZeroes, Request::kUnmap, 0, 8, 0, 4096, 0}, kRun},
      {"a serial", {kGetId, 0, 0, 0, kPayload, 20, 0}, kRun},

      {"an extent in the rings", {kIn, 0, 0, 0, 0, 512, 0}, kBroken},
      {"an extent that begins in the rings", {kIn, 0, 0, 0, kPayload - 512, 1024, 0}, kBroken},
      {"an extent that ends outside", {kOut, 0, 0, 0, kEnd - 512, 1024, 0}, kBroken},
      {"an extent outside", {kIn, 0, 0, 0, kEnd + 4096, 512, 0}, kBroken},
      {"an extent that wraps", {kIn, 0, 0, 0, UINT64_MAX - 511, 1024, 0}, kBroken},
      {"a length beyond everything", {kIn, 0, 0, 0, kPayload, UINT32_MAX, 0}, kBroken},
      {"a serial into the rings", {kGetId, 0, 0, 0, 64, 20, 0}, kBroken},
      {"a serial over the end", {kGetId, 0, 0, 0, kEnd - 19, 20, 0}, kBroken},

      {"a type nobody knows", {77, 0, 0, 0, 0, 0, 0}, kUnsupported},
      {"secure erase", {VIRTIO_BLK_T_SECURE_ERASE, 0, 0, 0, 0, 512, 0}, kUnsupported},
      {"an unknown flag", {kZeroes, 2, 0, 0, 0, 512, 0}, kUnsupported},
      {"unmap on a read", {kIn, Request::kUnmap, 0, 0, kPayload, 512, 0}, kUnsupported},
      {"a reserved word", {kIn, 0, 0, 0, kPayload, 512, 1}, kUnsupported},

      {"nothing to read", {kIn, 0, 0, 0, kPayload, 0, 0}, kError},
      {"half a block", {kIn, 0, 0, 0, kPayload, 256, 0}, kError},
      {"more than may be moved", {kIn, 0, 0, 0, kPayload, 65536 + 512, 0}, kError},
      {"more than may be erased", {kDiscard, 0, 0, 0, 0, 131072 + 512, 0}, kError},
      {"a read behind the end", {kIn, 0, 0, 2048, kPayload, 512, 0}, kError},
      {"a read over the end", {kIn, 0, 0, 2047, kPayload, 1024, 0}, kError},
      {"a sector that wraps", {kOut, 0, 0, UINT64_MAX, kPayload, 512, 0}, kError},
      {"a sector that wraps in bytes", {kOut, 0, 0, 1ULL << 55, kPayload, 512, 0}, kError},
      {"a discard with an extent", {kDiscard, 0, 0, 0, kPayload, 512, 0}, kError},
      {"a discard of nothing", {kDiscard, 0, 0, 0, 0, 0, 0}, kError},
      {"a flush of a range", {kFlush, 0, 0, 1, 0, 0, 0}, kError},
      {"a flush with a length", {kFlush, 0, 0, 0, 0, 512, 0}, kError},
      {"a longer serial", {kGetId, 0, 0, 0, kPayload, 21, 0}, kError},
      {"a serial of a sector", {kGetId, 0, 0, 1, kPayload, 20, 0}, kError},
  };
  for (const Row& row : rows) EXPECT_EQ(judged(row.request), row.expected) << row.what;
}

TEST(RequestCheck, AReadOnlyVolumeIsOnlyRead) {
  Info info = kVolume;
  info.features = Info::kFlush | Info::kReadOnly;
  EXPECT_EQ(judged({VIRTIO_BLK_T_IN, 0, 0, 0, kPayload, 512, 0}, info), kRun);
  EXPECT_EQ(judged({VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0, 0, 0}, info), kRun);
  EXPECT_EQ(judged({VIRTIO_BLK_T_OUT, 0, 0, 0, kPayload, 512, 0}, info), kError);
  EXPECT_EQ(judged({VIRTIO_BLK_T_WRITE_ZEROES, 0, 0, 0, 0, 512, 0}, info), kError);
  EXPECT_EQ(judged({VIRTIO_BLK_T_DISCARD, 0, 0, 0, 0, 512, 0}, info), kUnsupported);
}

TEST(RequestCheck, LargerLogicalBlocksBindSectorAndLength) {
  Info info = kVolume;
  info.logical_block = 4096;
  EXPECT_EQ(judged({VIRTIO_BLK_T_IN, 0, 0, 8, kPayload, 4096, 0}, info), kRun);
  EXPECT_EQ(judged({VIRTIO_BLK_T_IN, 0, 0, 1, kPayload, 4096, 0}, info), kError);
  EXPECT_EQ(judged({VIRTIO_BLK_T_IN, 0, 0, 8, kPayload, 512, 0}, info), kError);
}

}  // namespace
}  // namespace cede::driver
