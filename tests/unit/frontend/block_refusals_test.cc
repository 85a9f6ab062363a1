// SPDX-License-Identifier: Apache-2.0
// What attach() and submit() refuse: nothing of it reaches the ring.
#include <gtest/gtest.h>

#include "frontend/block/block_device.h"
#include "tests/unit/frontend/scripted_device.h"

namespace cede::frontend {
namespace {

using test::SessionParts;
using Kind = Operation::Kind;

// --- submit() ---

TEST(BlockRefusals, TransfersOutsideTheVolume) {
  ScriptedDevice scripted;
  BlockDevice& device = scripted.device;
  const std::uint64_t sectors = kDiskBytes / 512;
  const auto extent = device.allocate(4096);
  ASSERT_TRUE(extent);
  for (const Kind kind : {Kind::Read, Kind::Write}) {
    EXPECT_EQ(device.submit({kind, sectors - 8, *extent}), Status::Ok);
    EXPECT_EQ(device.submit({kind, sectors - 7, *extent}), Status::Invalid);
    EXPECT_EQ(device.submit({kind, sectors, *extent}), Status::Invalid);
    EXPECT_EQ(device.submit({kind, UINT64_MAX - 7, *extent}), Status::Invalid);
    EXPECT_EQ(device.submit({kind, UINT64_MAX, *extent}), Status::Invalid);
  }
}

TEST(BlockRefusals, PayloadThatIsNotPayload) {
  ScriptedDevice scripted;
  BlockDevice& device = scripted.device;
  const std::uint64_t first = kGeometry.data_offset();
  const std::uint64_t end = kGeometry.bytes();
  EXPECT_EQ(device.submit({Kind::Read, 0, {first, 512}}), Status::Ok);
  EXPECT_EQ(device.submit({Kind::Read, 0, {0, 512}}), Status::Invalid) << "the ring itself";
  EXPECT_EQ(device.submit({Kind::Read, 0, {first - 512, 1024}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 0, {end - 512, 512}}), Status::Ok);
  EXPECT_EQ(device.submit({Kind::Read, 0, {end - 512, 1024}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 0, {end, 512}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 0, {UINT64_MAX - 511, 512}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 0, {first + 1, 512}}), Status::Invalid) << "misaligned";
  EXPECT_EQ(device.submit({Kind::Read, 0, {first, 0}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 0, {first, 513}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::GetId, 0, {first, 512}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::GetId, 0, {0, VIRTIO_BLK_ID_BYTES}}), Status::Invalid);
  EXPECT_TRUE(device.bytes({0, 512}).empty());
  EXPECT_TRUE(device.bytes({end, 512}).empty());
}

TEST(BlockRefusals, WhatTheLogicalBlockForbids) {
  block::Info info = test::disk_info(kDiskBytes);
  info.logical_block = 4096;
  ScriptedDevice scripted(info);
  BlockDevice& device = scripted.device;
  const auto extent = device.allocate(8192);
  ASSERT_TRUE(extent);
  EXPECT_EQ(device.submit({Kind::Read, 8, *extent}), Status::Ok);
  EXPECT_EQ(device.submit({Kind::Read, 9, *extent}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 8, {extent->offset, 512}}), Status::Invalid);
  EXPECT_EQ(device.submit({Kind::Read, 8, {extent->offset + 512, 4096}}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Discard, .sector = 1, .erase_bytes = 4096}),
            Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Discard, .erase_bytes = 512}), Status::Invalid);
}

TEST(BlockRefusals, WhatTheDriverDoesNotOffer) {
  block::Info info = test::disk_info(kDiskBytes);
  info.features = block::Info::kReadOnly | block::Info::kDiscard;
  ScriptedDevice scripted(info);
  BlockDevice& device = scripted.device;
  const auto extent = device.allocate(512);
  ASSERT_TRUE(extent);
  EXPECT_EQ(device.submit({Kind::Read, 0, *extent}), Status::Ok);
  EXPECT_EQ(device.submit({Kind::Write, 0, *extent}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Flush}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Discard, .erase_bytes = 512}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::WriteZeroes, .erase_bytes = 512}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = static_cast<Kind>(77)}), Status::Invalid);
}

TEST(BlockRefusals, MoreThanOneOperationMayCarry) {
  block::Info info = test::disk_info(kDiskBytes);
  info.max_transfer = 8192;
  info.max_erase = 8192;
  ScriptedDevice scripted(info);
  BlockDevice& device = scripted.device;
  EXPECT_EQ(device.max_transfer(), 8192U);
  EXPECT_FALSE(device.allocate(8193));
  EXPECT_FALSE(device.allocate(0));
  EXPECT_EQ(device.submit({Kind::Read, 0, {kGeometry.data_offset(), 8704}}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Discard, .erase_bytes = 8704}), Status::Invalid);
  EXPECT_EQ(device.submit({.kind = Kind::Discard, .erase_bytes = 0}), Status::Invalid);
}

TEST(BlockRefusals, MaxTransferIsWhatARegionCanHold) {
  ScriptedDevice scripted;
  EXPECT_EQ(scripted.device.info().max_transfer, 1U << 20);
  EXPECT_EQ(scripted.device.max_transfer(), 128 * kPageBytes);
  EXPECT_TRUE(scripted.device.allocate(128 * kPageBytes));
}

TEST(BlockRefusals, AnExtentIsTakenBackOnceAndOnlyAsItWasGiven) {
  ScriptedDevice scripted;
  BlockDevice& device = scripted.device;
  const auto extent = device.allocate(5000);
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->offset % kPageBytes, 0U);
  EXPECT_FALSE(device.release({extent->offset, 4096}));
  EXPECT_FALSE(device.release({extent->offset + 1, 5000}));
  EXPECT_FALSE(device.release({0, 5000}));
  EXPECT_FALSE(device.release({UINT64_MAX, 5000}));
  EXPECT_FALSE(device.release({kGeometry.bytes(), 5000}));
  EXPECT_TRUE(device.release(*extent));
  EXPECT_FALSE(device.release(*extent));
}

// --- attach() ---

Status attach_status(const block::Info& info, const Geometry& geometry = kGeometry) {
  SessionParts parts = test::make_session_parts(geometry);
  return BlockDevice::attach(test::open_client(parts, info)).status();
}

TEST(BlockRefusals, ADriverWhoseWordsMakeNoSense) {
  EXPECT_EQ(attach_status(test::disk_info(kDiskBytes)), Status::Ok);
  EXPECT_EQ(attach_status(block::Info{}), Status::Invalid);
  block::Info info = test::disk_info(kDiskBytes);
  info.sectors = UINT64_MAX;
  EXPECT_EQ(attach_status(info), Status::Invalid);
  info = test::disk_info(kDiskBytes);
  info.logical_block = 768;
  EXPECT_EQ(attach_status(info), Status::Invalid);
}

TEST(BlockRefusals, SlotsTooSmallForARequest) {
  const block::Info info = test::disk_info(kDiskBytes);
  EXPECT_EQ(attach_status(info, {.pages = 64, .rings = 1, .slot_bytes = 16, .slots = 16}),
            Status::Invalid);
}

TEST(BlockRefusals, ARegionOfAnotherSizeThanItsGeometrySays) {
  SessionParts parts = test::make_session_parts(kGeometry);
  Session session = test::open_client(parts, test::disk_info(kDiskBytes));
  session.geometry.pages *= 2;
  EXPECT_EQ(BlockDevice::attach(std::move(session)).status(), Status::Invalid);
}

}  // namespace
}  // namespace cede::frontend
