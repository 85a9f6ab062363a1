// SPDX-License-Identifier: Apache-2.0
// Round trips through the real driver, on a file in memory (inline engine) and one on a disk
// (io_uring engine), checked on the image itself.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class DriverIo : public testing::TestWithParam<const char*> {
 protected:
  Image image_{GetParam(), 8 * kMiB};
};

INSTANTIATE_TEST_SUITE_P(Engines, DriverIo, testing::Values("/dev/shm", TEST_IMAGES),
                         [](const auto& place) {
                           return std::string(place.param) == "/dev/shm" ? "Inline" : "Uring";
                         });

TEST_P(DriverIo, WritesLandInTheVolumeAndReadsComeBack) {
  DriverProcess driver(image_.path(), {"device=0,name=a,offset=1048576,length=1048576"});
  auto [session, info, client] = driver.connect(0);
  EXPECT_TRUE(info.valid());
  EXPECT_EQ(info.sectors, 2048U);
  const auto bytes = pattern(20480, 1);
  std::ranges::copy(bytes, client->payload(512, bytes.size()).begin());
  ASSERT_EQ(client->run(write_request(*client, 5, 16, 20480, 512)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(image_.read(kMiB + 16 * 512, bytes.size()), bytes));

  const auto other = pattern(4096, 2);
  image_.write(kMiB + 2040 * 512, other);
  ASSERT_EQ(client->run(read_request(*client, 6, 2040, 4096, 8192)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(client->payload(8192, 4096), other));
  EXPECT_EQ(driver.stats(0).block.write_bytes, 20480U);
  EXPECT_EQ(driver.stats(0).block.read_bytes, 4096U);
  EXPECT_EQ(driver.hang_up(), 0);
}

// Longer than what the driver moves at once, and not a multiple of it.
TEST_P(DriverIo, LongTransfersAreWholeAndCountOnce) {
  constexpr std::uint32_t kLength = 300 << 10;
  DriverProcess driver(image_.path(), {"device=0,name=a"});
  auto [session, info, client] =
      driver.connect(0, {.pages = 512, .rings = 1, .slot_bytes = 32, .slots = 32});
  const auto bytes = pattern(3 * kLength, 1);
  std::ranges::copy(bytes, client->payload(0, bytes.size()).begin());
  for (std::uint32_t id = 0; id < 3; ++id) {
    client->put(write_request(*client, id, id * kLength / 512, kLength, id * kLength));
  }
  client->publish();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client->response().status, VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(image_.read(0, bytes.size()), bytes));

  std::ranges::fill(client->payload(0, bytes.size()), std::byte{});
  ASSERT_EQ(client->run(read_request(*client, 7, 0, 3 * kLength, 0)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(client->payload(0, bytes.size()), bytes));
  EXPECT_EQ(driver.stats(0).block.writes, 3U);
  EXPECT_EQ(driver.stats(0).block.write_bytes, 3 * kLength);
  EXPECT_EQ(driver.stats(0).block.reads, 1U);
  EXPECT_EQ(driver.stats(0).block.read_bytes, 3 * kLength);
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_P(DriverIo, FlushDiscardZeroesAndSerial) {
  DriverProcess driver(image_.path(), {"device=0,name=alice/vda"});
  auto [session, info, client] = driver.connect(0);
  EXPECT_EQ(info.features, block::Info::kFlush | block::Info::kDiscard | block::Info::kWriteZeroes);
  const auto bytes = pattern(8 * kMiB, 3);
  image_.write(0, bytes);
  EXPECT_EQ(client->run(flush_request(0)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(client->run(erase_request(VIRTIO_BLK_T_DISCARD, 1, 8, 65536)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(client->run(erase_request(VIRTIO_BLK_T_WRITE_ZEROES, 2, 1024, 65536)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(
      client->run(erase_request(VIRTIO_BLK_T_WRITE_ZEROES, 3, 4096, 65536, block::Request::kUnmap)),
      VIRTIO_BLK_S_OK);
  auto expected = bytes;
  for (const std::size_t sector : {8U, 1024U, 4096U}) {
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(sector * 512), 65536, std::byte{0});
  }
  EXPECT_TRUE(same(image_.read(0, expected.size()), expected));

  block::Request get_id = read_request(*client, 4, 0, VIRTIO_BLK_ID_BYTES, 100);
  get_id.type = VIRTIO_BLK_T_GET_ID;
  EXPECT_EQ(client->run(get_id), VIRTIO_BLK_S_OK);
  char serial[VIRTIO_BLK_ID_BYTES + 1] = {};
  std::memcpy(serial, client->payload(100, VIRTIO_BLK_ID_BYTES).data(), VIRTIO_BLK_ID_BYTES);
  EXPECT_STREQ(serial, "alice-vda");
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_P(DriverIo, ManyRequestsOnManyRingsAreAllAnsweredWithTheirOwnData) {
  constexpr std::uint32_t kSlots = 64;
  constexpr std::uint32_t kRings = 4;
  const auto bytes = pattern(8 * kMiB, 4);
  image_.write(0, bytes);
  DriverProcess driver(image_.path(), {"device=0,name=a"});
  auto [session, info, client] =
      driver.connect(0, {.pages = 512, .rings = kRings, .slot_bytes = 32, .slots = kSlots});
  for (std::uint32_t round = 0; round < 8; ++round) {
    for (std::uint32_t ring = 0; ring < kRings; ++ring) {
      for (std::uint32_t id = 0; id < kSlots; ++id) {
        const std::uint32_t block = (round * 977 + ring * kSlots + id) % 2048;
        client->put(read_request(*client, id, block * 8, 4096, 4096ULL * (ring * kSlots + id)),
                    ring);
      }
      client->publish(ring);
    }
    for (std::uint32_t ring = 0; ring < kRings; ++ring) {
      std::set<std::uint32_t> ids;
      while (ids.size() < kSlots) {
        const block::Response response = client->response(ring);
        ASSERT_EQ(response.status, VIRTIO_BLK_S_OK);
        ASSERT_TRUE(ids.insert(response.id).second);
        const std::uint32_t block = (round * 977 + ring * kSlots + response.id) % 2048;
        ASSERT_TRUE(same(client->payload(4096ULL * (ring * kSlots + response.id), 4096),
                         std::span(bytes).subspan(block * 4096UL, 4096)));
      }
    }
  }
  EXPECT_EQ(driver.stats(0).block.reads, 8U * kRings * kSlots);
  EXPECT_EQ(driver.hang_up(), 0);
}

// A session has one of these under way, and the next one waits: none is forgotten.
TEST_P(DriverIo, ManyErasesAndFlushesAreAllAnsweredAndAnothersReadAmongThem) {
  constexpr std::uint32_t kSlots = 64;
  DriverProcess driver(image_.path(), {"device=0,name=a,offset=0,length=4194304",
                                       "device=1,name=b,offset=4194304,length=4194304"});
  const auto bytes = pattern(8 * kMiB, 4);
  image_.write(0, bytes);
  auto storm = driver.connect(0, {.pages = 64, .rings = 2, .slot_bytes = 32, .slots = kSlots});
  auto other = driver.connect(1);
  for (std::uint32_t ring = 0; ring < 2; ++ring) {
    for (std::uint32_t id = 0; id < kSlots; ++id) {
      const std::uint16_t kinds[] = {VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_DISCARD};
      storm.client->put(
          id % 3 == 2 ? flush_request(id) : erase_request(kinds[id % 3], id, 0, 4 * kMiB), ring);
    }
    storm.client->publish(ring);
  }
  ASSERT_EQ(other.client->run(read_request(*other.client, 0, 8, 4096)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(
      same(other.client->payload(0, 4096), std::span(bytes).subspan(4 * kMiB + 4096, 4096)));
  for (std::uint32_t ring = 0; ring < 2; ++ring) {
    std::set<std::uint32_t> ids;
    while (ids.size() < kSlots) {
      const block::Response response = storm.client->response(ring);
      ASSERT_EQ(response.status, VIRTIO_BLK_S_OK);
      ASSERT_TRUE(ids.insert(response.id).second);
    }
  }
  EXPECT_TRUE(same(image_.read(0, 4 * kMiB), std::vector<std::byte>(4 * kMiB)));
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_P(DriverIo, FoolishRequestsAreAnsweredAndTheSessionGoesOn) {
  DriverProcess driver(image_.path(), {"device=0,name=a,offset=0,length=1048576,read_only",
                                       "device=1,name=b,offset=1048576,length=1048576"});
  auto reader = driver.connect(0);
  auto writer = driver.connect(1);
  EXPECT_NE(reader.info.features & block::Info::kReadOnly, 0U);
  EXPECT_EQ(reader.client->run(write_request(*reader.client, 0, 0, 512)), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(writer.client->run(write_request(*writer.client, 0, 2048, 512)), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(writer.client->run({.type = 99, .id = 1}), VIRTIO_BLK_S_UNSUPP);
  EXPECT_EQ(writer.client->run(write_request(*writer.client, 0, 2047, 512)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(driver.stats(0).block.errors, 1U);
  EXPECT_EQ(driver.stats(1).block.errors, 2U);
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_P(DriverIo, AShrunkenImageIsAnErrorAndNotTheEnd) {
  DriverProcess driver(image_.path(), {"device=0,name=a"});
  auto [session, info, client] = driver.connect(0);
  ASSERT_EQ(::ftruncate(image_.fd(), kMiB), 0);
  EXPECT_EQ(client->run(read_request(*client, 0, 4096, 4096)), VIRTIO_BLK_S_IOERR);
  // A long one whose last pieces alone are lost.
  EXPECT_EQ(client->run(read_request(*client, 0, 1792, 200 << 10)), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client->run(read_request(*client, 0, 0, 4096)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(driver.hang_up(), 0);
}

}  // namespace
}  // namespace cede::test
