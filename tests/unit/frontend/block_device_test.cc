// SPDX-License-Identifier: Apache-2.0
// The block frontend with an honest driver: a thread that serves a disk in memory, or the test
// itself where the order of things matters.
#include "frontend/block/block_device.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>
#include <map>
#include <vector>

#include "tests/support/client_session.h"
#include "tests/support/echo_backend.h"
#include "tests/unit/frontend/scripted_device.h"

namespace cede::frontend {
namespace {

using test::EchoBackend;
using test::SessionParts;
using Kind = Operation::Kind;

// Waits as a user of the library does, for as long as it takes.
Completion complete_one(BlockDevice& device) {
  Completion done;
  device.publish();
  for (;;) {
    if (device.poll({&done, 1}) == 1) return done;
    if (device.broken()) throw std::runtime_error("the device broke");
    if (!device.arm()) continue;
    pollfd wait{device.wait_fd(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    device.clear_wakeup();
  }
}

struct EchoDevice {
  explicit EchoDevice(const Geometry& geometry = kGeometry)
      : parts(test::make_session_parts(geometry)),
        backend(parts, std::vector<std::byte>(kDiskBytes)),
        device(*BlockDevice::attach(test::open_client(parts, backend.info()))) {}

  SessionParts parts;
  EchoBackend backend;
  BlockDevice device;
};

TEST(BlockDevice, WhatIsWrittenIsReadBack) {
  EchoDevice echo;
  BlockDevice& device = echo.device;
  const auto written = device.allocate(8192);
  const auto read = device.allocate(8192);
  ASSERT_TRUE(written && read);
  std::memset(device.bytes(*written).data(), 0x5a, 8192);
  std::memset(device.bytes(*read).data(), 0, 8192);

  ASSERT_EQ(device.submit({Kind::Write, 16, *written, 7}), Status::Ok);
  EXPECT_EQ(device.in_flight(), 1U);
  Completion done = complete_one(device);
  EXPECT_EQ(done.cookie, 7U);
  EXPECT_EQ(done.status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  EXPECT_EQ(device.in_flight(), 0U);

  ASSERT_EQ(device.submit({Kind::Read, 16, *read, 8}), Status::Ok);
  done = complete_one(device);
  EXPECT_EQ(done.cookie, 8U);
  EXPECT_EQ(std::memcmp(device.bytes(*read).data(), device.bytes(*written).data(), 8192), 0);
  EXPECT_TRUE(device.release(*written));
  EXPECT_TRUE(device.release(*read));

  echo.backend.stop();
  EXPECT_EQ(echo.backend.disk()[16 * 512 - 1], std::byte{0});
  EXPECT_EQ(echo.backend.disk()[16 * 512], std::byte{0x5a});
  EXPECT_EQ(echo.backend.disk()[16 * 512 + 8192], std::byte{0});
}

TEST(BlockDevice, APartOfAnExtentCanBeTransferred) {
  EchoDevice echo;
  BlockDevice& device = echo.device;
  const auto extent = device.allocate(4096);
  ASSERT_TRUE(extent);
  std::memset(device.bytes(*extent).data(), 1, 4096);
  ASSERT_EQ(device.submit({Kind::Read, 0, {extent->offset + 512, 1024}, 1}), Status::Ok);
  EXPECT_EQ(complete_one(device).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  const auto bytes = device.bytes(*extent);
  EXPECT_EQ(bytes[511], std::byte{1});
  EXPECT_EQ(bytes[512], std::byte{0});
  EXPECT_EQ(bytes[1535], std::byte{0});
  EXPECT_EQ(bytes[1536], std::byte{1});
}

TEST(BlockDevice, FlushDiscardWriteZeroesAndGetIdReachTheDriver) {
  EchoDevice echo;
  BlockDevice& device = echo.device;
  const auto id = device.allocate(VIRTIO_BLK_ID_BYTES);
  ASSERT_TRUE(id);
  ASSERT_EQ(device.submit({.kind = Kind::Flush, .cookie = 1}), Status::Ok);
  EXPECT_EQ(complete_one(device).cookie, 1U);
  ASSERT_EQ(device.submit({.kind = Kind::Discard, .sector = 8, .erase_bytes = 4096}), Status::Ok);
  EXPECT_EQ(complete_one(device).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  ASSERT_EQ(
      device.submit({.kind = Kind::WriteZeroes, .sector = 8, .erase_bytes = 4096, .unmap = true}),
      Status::Ok);
  EXPECT_EQ(complete_one(device).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  ASSERT_EQ(device.submit({.kind = Kind::GetId, .payload = *id}), Status::Ok);
  EXPECT_EQ(complete_one(device).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
  EXPECT_EQ(std::memcmp(device.bytes(*id).data(), "echo", 5), 0);
}

TEST(BlockDevice, EveryRingCarriesItsOwnOperations) {
  EchoDevice echo({.pages = 256, .rings = 4, .slot_bytes = 32, .slots = 16});
  BlockDevice& device = echo.device;
  ASSERT_EQ(device.rings(), 4);
  for (std::uint16_t ring = 0; ring < 4; ++ring) {
    for (std::uint64_t i = 0; i < 16; ++i) {
      ASSERT_EQ(device.submit({.kind = Kind::Flush, .cookie = ring * 100U + i}, ring), Status::Ok);
    }
    EXPECT_EQ(device.submit({.kind = Kind::Flush}, ring), Status::Busy);
    EXPECT_EQ(device.free_slots(ring), 0U);
  }
  EXPECT_EQ(device.in_flight(), 64U);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 64; ++i) ++seen[complete_one(device).cookie];
  EXPECT_EQ(seen.size(), 64U);
  EXPECT_EQ(device.submit({.kind = Kind::Flush}, 4), Status::Invalid) << "there is no fifth ring";
}

// --- the test plays the driver --------------------------------------------------------------

TEST(BlockDevice, CompletionsMayComeInAnyOrder) {
  ScriptedDevice scripted;
  for (std::uint64_t cookie = 100; cookie < 132; ++cookie) {
    ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush, .cookie = cookie}), Status::Ok);
  }
  EXPECT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Busy) << "the ring is full";
  scripted.device.publish();

  const auto requests = scripted.take_all();
  ASSERT_EQ(requests.size(), 32U);
  for (auto request = requests.rbegin(); request != requests.rend(); ++request) {
    scripted.back.put({request->id, request->id % 3});
  }
  [[maybe_unused]] const bool wake = scripted.back.publish();

  std::vector<Completion> done(64);
  done.resize(scripted.device.poll(done));
  ASSERT_EQ(done.size(), 32U);
  for (std::size_t i = 0; i < done.size(); ++i) {
    EXPECT_EQ(done[i].cookie, 131 - i);
    EXPECT_EQ(done[i].status, requests[31 - i].id % 3);
  }
  EXPECT_EQ(scripted.device.in_flight(), 0U);
  EXPECT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
}

TEST(BlockDevice, AFinishedOperationsSlotIsTheNextOnesUsed) {
  ScriptedDevice scripted;
  std::uint32_t id = UINT32_MAX;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
    scripted.device.publish();
    const auto requests = scripted.take_all();
    ASSERT_EQ(requests.size(), 1U);
    if (i != 0) {
      EXPECT_EQ(requests[0].id, id);
    }
    id = requests[0].id;
    scripted.back.put({id, 0});
    [[maybe_unused]] const bool wake = scripted.back.publish();
    Completion done;
    ASSERT_EQ(scripted.device.poll({&done, 1}), 1U);
  }
}

TEST(BlockDevice, RequestsSayExactlyWhatWasAskedFor) {
  ScriptedDevice scripted;
  BlockDevice& device = scripted.device;
  const auto extent = device.allocate(4096);
  ASSERT_TRUE(extent);
  ASSERT_EQ(device.submit({Kind::Read, 8, *extent, 1}), Status::Ok);
  ASSERT_EQ(device.submit({Kind::Write, 9, *extent, 2}), Status::Ok);
  ASSERT_EQ(device.submit({.kind = Kind::Flush, .sector = 5, .payload = *extent}), Status::Ok);
  ASSERT_EQ(device.submit({.kind = Kind::Discard, .sector = 3, .erase_bytes = 512, .unmap = true}),
            Status::Ok);
  ASSERT_EQ(
      device.submit({.kind = Kind::WriteZeroes, .sector = 4, .erase_bytes = 1024, .unmap = true}),
      Status::Ok);
  device.publish();

  const auto requests = scripted.take_all();
  ASSERT_EQ(requests.size(), 5U);
  const auto expect = [&](std::size_t i, block::Request expected) {
    expected.id = requests[i].id;
    EXPECT_EQ(std::memcmp(&requests[i], &expected, sizeof expected), 0) << "request " << i;
  };
  expect(0, {VIRTIO_BLK_T_IN, 0, 0, 8, extent->offset, 4096, 0});
  expect(1, {VIRTIO_BLK_T_OUT, 0, 0, 9, extent->offset, 4096, 0});
  expect(2, {VIRTIO_BLK_T_FLUSH, 0, 0, 0, 0, 0, 0});
  expect(3, {VIRTIO_BLK_T_DISCARD, 0, 0, 3, 0, 512, 0});
  expect(4, {VIRTIO_BLK_T_WRITE_ZEROES, block::Request::kUnmap, 0, 4, 0, 1024, 0});
}

TEST(BlockDevice, TheDriverIsRungOnlyWhereItSleeps) {
  ScriptedDevice scripted;
  ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
  EXPECT_EQ(scripted.kicks(), 0U) << "submit() alone must not ring";
  scripted.device.publish();
  EXPECT_EQ(scripted.kicks(), 1U) << "a fresh ring asks for the first request";
  scripted.device.publish();
  ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
  scripted.device.publish();
  EXPECT_EQ(scripted.kicks(), 0U) << "the driver did not ask for the second one";
  EXPECT_EQ(scripted.take_all().size(), 2U);
  ASSERT_EQ(scripted.back.arm(), Verdict::Empty);
  ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
  scripted.device.publish();
  EXPECT_EQ(scripted.kicks(), 1U) << "now it sleeps";
}

TEST(BlockDevice, AllRingsTogetherRingOnce) {
  ScriptedDevice scripted(test::disk_info(kDiskBytes),
                          {.pages = 64, .rings = 4, .slot_bytes = 32, .slots = 16});
  for (std::uint16_t ring = 0; ring < 4; ++ring) {
    ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}, ring), Status::Ok);
  }
  scripted.device.publish();
  EXPECT_EQ(scripted.kicks(), 1U);
}

TEST(BlockDevice, TheFirstRingOfSeveralRingsTheDriverToo) {
  ScriptedDevice scripted(test::disk_info(kDiskBytes),
                          {.pages = 64, .rings = 4, .slot_bytes = 32, .slots = 16});
  ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}, 0), Status::Ok);
  scripted.device.publish();
  EXPECT_EQ(scripted.kicks(), 1U);
}

TEST(BlockDevice, ArmSaysSleepOnlyWhileNothingIsAnswered) {
  ScriptedDevice scripted;
  EXPECT_TRUE(scripted.device.arm()) << "nothing in flight";
  ASSERT_EQ(scripted.device.submit({.kind = Kind::Flush}), Status::Ok);
  scripted.device.publish();
  EXPECT_TRUE(scripted.device.arm());
  scripted.back.put({scripted.take_all()[0].id, 0});
  EXPECT_TRUE(scripted.back.publish()) << "the frontend sleeps and has to be rung";
  EXPECT_FALSE(scripted.device.arm()) << "there is an answer to poll";
}

TEST(BlockDevice, AFullCompletionBufferStarvesNoRing) {
  const Geometry geometry{.pages = 64, .rings = 2, .slot_bytes = 32, .slots = 16};
  ScriptedDevice scripted(test::disk_info(kDiskBytes), geometry);
  BlockDevice& device = scripted.device;
  for (std::uint16_t ring = 0; ring < 2; ++ring) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(device.submit({.kind = Kind::Flush, .cookie = ring}, ring), Status::Ok);
    }
  }
  device.publish();
  for (std::uint32_t ring = 0; ring < 2; ++ring) {
    BackRing<block::Request, block::Response> back(
        scripted.region.data() + geometry.ring_offset(ring), geometry.ring_shape());
    block::Request request;
    while (back.take(request) == Verdict::Ready) back.put({request.id, 0});
    [[maybe_unused]] const bool wake = back.publish();
  }
  std::vector<std::uint64_t> order;
  Completion done;
  while (device.poll({&done, 1}) == 1) order.push_back(done.cookie);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{0, 1, 0, 1, 0, 1, 0, 1}));
}

TEST(BlockDevice, UnansweredOperationsAreToldOldestFirst) {
  ScriptedDevice scripted;
  BlockDevice& device = scripted.device;
  for (const std::uint64_t cookie : {5U, 3U, 9U, 1U}) {
    ASSERT_EQ(device.submit({.kind = Kind::Flush, .cookie = cookie}), Status::Ok);
  }
  device.publish();
  scripted.back.put({scripted.take_all()[1].id, 0});
  [[maybe_unused]] const bool wake = scripted.back.publish();
  Completion done;
  ASSERT_EQ(device.poll({&done, 1}), 1U);
  EXPECT_EQ(done.cookie, 3U);
  ASSERT_EQ(device.submit({.kind = Kind::Flush, .cookie = 4}), Status::Ok) << "not published";
  EXPECT_EQ(device.unanswered(), (std::vector<std::uint64_t>{5, 9, 1, 4}));

  const Session session = std::move(device).detach();
  EXPECT_EQ(session.geometry, kGeometry);
  EXPECT_TRUE(session.region);
}

}  // namespace
}  // namespace cede::frontend
