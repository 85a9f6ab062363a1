// SPDX-License-Identifier: Apache-2.0
// Clients that break the protocol, each beside one that does not and must not notice.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <thread>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class DriverHostile : public testing::Test {
 protected:
  // The honest client writes and reads back a pattern that is new each time.
  void honest_io() {
    TestClient& client = *honest_.client;
    const auto bytes = pattern(16384, ++round_);
    std::ranges::copy(bytes, client.payload(0, bytes.size()).begin());
    ASSERT_EQ(client.run(write_request(client, 1, 128, 16384)), VIRTIO_BLK_S_OK);
    ASSERT_EQ(client.run(read_request(client, 2, 128, 16384, 32768)), VIRTIO_BLK_S_OK);
    ASSERT_TRUE(same(client.payload(32768, 16384), bytes));
  }

  // The attack ends its own session with that reason; the honest client works before and after,
  // and a request of its that is in flight meanwhile is answered.
  void expect_only_the_attacker_falls(const std::function<void(TestClient&)>& attack,
                                      const std::string& reason) {
    auto attacker = driver_.connect(0);
    honest_io();
    TestClient& honest = *honest_.client;
    honest.put(erase_request(VIRTIO_BLK_T_DISCARD, 9, 1024, 65536));
    honest.publish();
    attack(*attacker.client);
    EXPECT_EQ(driver_.expect(MessageType::Close, attacker.session).status, Status::Broken);
    driver_.expect(MessageType::Release, attacker.session);
    driver_.send(MessageType::Closing, attacker.session, Status::Broken);
    driver_.send(MessageType::Closed, attacker.session, Status::Broken);
    EXPECT_EQ(honest.response().id, 9U);
    honest_io();
    EXPECT_NE(driver_.log().find(reason), std::string::npos) << driver_.log();
    EXPECT_EQ(driver_.stats(0).rejected, 1U);
    EXPECT_EQ(driver_.stats(1).rejected, 0U);
    EXPECT_EQ(driver_.hang_up(), 0) << driver_.log();
  }

  Image image_{"/dev/shm", 4 * kMiB};
  DriverProcess driver_{image_.path(),
                        {"device=0,name=mallory,offset=0,length=2097152",
                         "device=1,name=alice,offset=2097152,length=2097152"}};
  DriverProcess::Connected honest_ = driver_.connect(1);
  std::uint32_t round_ = 0;
};

void set_index(TestClient& client, std::size_t offset, std::uint32_t value) {
  SharedIndex(client.memory() + offset).store(value, std::memory_order_release);
  client.kick();
}

TEST_F(DriverHostile, AProducerFurtherAheadThanTheRing) {
  expect_only_the_attacker_falls(
      [](TestClient& client) { set_index(client, RingShape::kFrontLine, 33); }, "producer");
}

TEST_F(DriverHostile, AProducerThatGoesBack) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        ASSERT_EQ(client.run(flush_request(0)), VIRTIO_BLK_S_OK);
        set_index(client, RingShape::kFrontLine, 0);
      },
      "producer");
}

TEST_F(DriverHostile, AnIdBeyondTheSlots) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        client.put(flush_request(32));
        client.publish();
      },
      "an id beyond the ring's slots");
}

TEST_F(DriverHostile, AnIdThatIsInFlight) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        // Erases are asynchronous in both engines, so the first is in flight when the next comes.
        for (int i = 0; i < 32; ++i) client.put(erase_request(VIRTIO_BLK_T_DISCARD, 7, 0, 65536));
        client.publish();
      },
      "an id already in flight");
}

TEST_F(DriverHostile, AnExtentInTheRings) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        block::Request request = read_request(client, 0, 0, 512);
        request.offset = 0;
        client.put(request);
        client.publish();
      },
      "an extent outside the payload");
}

TEST_F(DriverHostile, AnExtentBehindTheRegion) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        block::Request request = write_request(client, 0, 0, 1024);
        request.offset = client.geometry().bytes() - 512;
        client.put(request);
        client.publish();
      },
      "an extent outside the payload");
}

TEST_F(DriverHostile, AnExtentThatWrapsAround) {
  expect_only_the_attacker_falls(
      [](TestClient& client) {
        block::Request request = read_request(client, 0, 0, 4096);
        request.offset = UINT64_MAX - 2047;
        client.put(request);
        client.publish();
      },
      "an extent outside the payload");
}

TEST_F(DriverHostile, ExtentsThatOverlapHurtTheirSenderOnly) {
  auto attacker = driver_.connect(0);
  TestClient& client = *attacker.client;
  const auto all = pattern(2 * kMiB, 99);
  image_.write(0, all);
  for (std::uint32_t id = 0; id < 32; ++id) {
    client.put(read_request(client, id, id * 8, 8192, (id % 3) * 512));
  }
  client.publish();
  for (int i = 0; i < 32; ++i) EXPECT_EQ(client.response().status, VIRTIO_BLK_S_OK);
  honest_io();
  EXPECT_EQ(driver_.hang_up(), 0);
}

TEST_F(DriverHostile, AClientThatReadsNoResponseStarvesItself) {
  auto attacker = driver_.connect(0);
  TestClient& client = *attacker.client;
  for (std::uint32_t id = 0; id < 32; ++id) client.put(read_request(client, id, 0, 512));
  client.publish();
  for (int i = 0; i < 50; ++i) honest_io();
  EXPECT_EQ(driver_.stats(0).block.reads, 32U);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(client.response().status, VIRTIO_BLK_S_OK);
  EXPECT_EQ(driver_.hang_up(), 0);
}

TEST_F(DriverHostile, AClientThatClosesItsDoorbellsIsServedByOthersKicksOrNotAtAll) {
  auto attacker = driver_.connect(0);
  attacker.client.reset();
  for (int i = 0; i < 10; ++i) honest_io();
  driver_.close(attacker.session);
  honest_io();
  EXPECT_EQ(driver_.hang_up(), 0);
}

// Whatever stands in the rings: the driver closes the session or goes on, and the other client's
// data stays what it is.
TEST_F(DriverHostile, NoiseInTheRings) {
  std::mt19937 engine(4711);
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
  std::uint64_t closed = 0;
  for (int round = 0; round < 60; ++round) {
    auto attacker = driver_.connect(0);
    TestClient& client = *attacker.client;
    std::byte* const ring = client.memory();
    const std::size_t ring_bytes = client.geometry().data_offset();
    for (int burst = 0; burst < 20; ++burst) {
      for (int i = 0; i < 16; ++i) {
        const std::size_t at = RingShape::kSlots + random() % (ring_bytes - RingShape::kSlots);
        ring[at] = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 3);
      }
      const std::uint32_t step = random() % 8 == 0 ? random() : random() % 33;
      const SharedIndex producer(ring + RingShape::kFrontLine);
      set_index(client, RingShape::kFrontLine, producer.load(std::memory_order_relaxed) + step);
      set_index(client, RingShape::kFrontLine + RingShape::kToEvent, random());
      if (random() % 4 == 0)
        set_index(client, RingShape::kBackLine + random() % 2 * RingShape::kToEvent, random());
    }
    honest_io();
    driver_.send(MessageType::Closing, attacker.session);
    Message message = driver_.next();
    if (message.type == MessageType::Close) {
      ++closed;
      message = driver_.next();
    }
    ASSERT_EQ(message.type, MessageType::Release);
    driver_.send(MessageType::Closed, attacker.session);
  }
  EXPECT_GT(closed, 0U);
  EXPECT_EQ(driver_.hang_up(), 0) << driver_.log();
}

TEST_F(DriverHostile, AStormOfKicksIsMaskedAndTheStormerStillServed) {
  auto attacker = driver_.connect(0);
  TestClient& client = *attacker.client;
  ASSERT_EQ(client.run(flush_request(0)), VIRTIO_BLK_S_OK);
  // Slow enough that every kick could wake the driver: without a mask there are thousands.
  for (int i = 0; i < 20'000; ++i) {
    client.kick();
    if (i % 4 == 0) std::this_thread::yield();
    if (i % 1000 == 0) honest_io();
  }
  EXPECT_LT(driver_.stats(0).wakeups, 2000U);
  ASSERT_EQ(client.run(read_request(client, 0, 0, 512)), VIRTIO_BLK_S_OK);
  honest_io();
  driver_.close(attacker.session);
  EXPECT_EQ(driver_.hang_up(), 0);
}

}  // namespace
}  // namespace cede::test
