// SPDX-License-Identifier: Apache-2.0
// Shares and limits, counted in the driver's own counters while every client has work waiting.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "tests/support/eventually.h"
#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

using std::chrono::steady_clock;

constexpr std::uint64_t kMiB = 1 << 20;
// Work enough for the test to get a look at the counters meanwhile.
constexpr Geometry kDeep{.pages = 512, .rings = 8, .slot_bytes = 32, .slots = 4096};
constexpr std::uint64_t kWork = kDeep.rings * kDeep.slots;

// A session whose ring is full of reads of that size before it is connected.
DriverProcess::Connected prepare_greedy(DriverProcess& driver, std::uint32_t device,
                                        std::uint32_t length) {
  SessionParts parts = make_session_parts(kDeep);
  DriverProcess::Connected greedy{.session = driver.new_session(), .info = {}, .client = nullptr};
  driver.offer(greedy.session, device, parts);
  driver.expect(MessageType::Mapped, greedy.session);
  greedy.client = std::make_unique<TestClient>(kDeep, std::move(parts.client));
  for (std::uint32_t ring = 0; ring < kDeep.rings; ++ring) {
    for (std::uint32_t id = 0; id < kDeep.slots; ++id) {
      greedy.client->put(read_request(*greedy.client, id, 0, length), ring);
    }
    greedy.client->publish(ring);
  }
  return greedy;
}

struct Counts {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

// The reads of devices 0 and 1, at one moment.
Counts snapshot(const DriverProcess& driver) {
  while (true) {
    const std::uint64_t before = driver.stats(0).block.reads;
    const std::uint64_t second = driver.stats(1).block.reads;
    const std::uint64_t first = driver.stats(0).block.reads;
    if (first - before <= 2) return {first, second};
  }
}

// How many times as much device 0 got as device 1, over a window of at least `least` reads of each
// in which both had work waiting. Nothing: the machine did not let the test look in time.
std::optional<double> ratio_while_busy(const DriverProcess& driver, std::uint64_t least) {
  Counts start;
  while (start.first == 0 || start.second == 0) start = snapshot(driver);
  while (true) {
    const Counts now = snapshot(driver);
    if (now.first > kWork * 3 / 4 || now.second > kWork * 3 / 4) return std::nullopt;
    const Counts got{now.first - start.first, now.second - start.second};
    if (got.first >= least && got.second >= least) {
      return static_cast<double>(got.first) / static_cast<double>(got.second);
    }
  }
}

class DriverFairness : public testing::TestWithParam<const char*> {
 protected:
  // How many times as much device 0 got, in requests.
  double ratio(const std::string& first, std::uint32_t first_length, const std::string& second,
               std::uint32_t second_length, std::uint64_t least) {
    Image image(GetParam(), 2 * kMiB);
    image.write(0, pattern(2 * kMiB, 1));
    // The machine may take the CPU from the test for the whole of the window: then again.
    for (int attempt = 0; attempt < 20; ++attempt) {
      DriverProcess driver(image.path(),
                           {"device=0,name=a,offset=0,length=1048576," + first,
                            "device=1,name=b,offset=1048576,length=1048576," + second});
      auto one = prepare_greedy(driver, 0, first_length);
      auto other = prepare_greedy(driver, 1, second_length);
      driver.send(MessageType::Connected, one.session);
      driver.send(MessageType::Connected, other.session);
      if (const auto found = ratio_while_busy(driver, least)) return *found;
    }
    return 0;
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, DriverFairness, testing::Values("/dev/shm", TEST_IMAGES),
                         [](const auto& place) {
                           return std::string(place.param) == "/dev/shm" ? "Inline" : "Uring";
                         });

TEST_P(DriverFairness, GreedySessionsShareByWeight) {
  EXPECT_NEAR(ratio("weight=3", 65536, "weight=1", 65536, 300), 3.0, 0.3);
}

TEST_P(DriverFairness, SmallRequestsAreNotCrowdedOutByLargeOnes) {
  // Two pieces of 64 KiB and their handling cost 17 times as much as 4 KiB and its handling.
  EXPECT_NEAR(ratio("weight=1", 4096, "weight=1", 131072, 200), 17.0, 2.0);
}

// A limiter can only be too slow for a slow machine's test, so only its being too fast is looked
// for.
double seconds_for_reads(const std::string& limit, std::uint32_t count, std::uint32_t length) {
  Image image("/dev/shm", kMiB);
  DriverProcess driver(image.path(), {"device=0,name=a," + limit});
  auto [session, info, client] =
      driver.connect(0, {.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 128});
  const auto start = steady_clock::now();
  for (std::uint32_t id = 0; id < count; ++id) client->put(read_request(*client, id, 0, length));
  client->publish();
  for (std::uint32_t i = 0; i < count; ++i) {
    EXPECT_EQ(client->response().status, VIRTIO_BLK_S_OK);
  }
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

TEST(DriverLimits, OperationsPerSecond) {
  // A tenth of a second's worth at once, the rest at the rate.
  EXPECT_GE(seconds_for_reads("iops=200", 100, 512), 80 / 200.0 - 0.02);
}

TEST(DriverLimits, BytesPerSecond) {
  EXPECT_GE(seconds_for_reads("bps=1048576", 10, 65536), 0.4);
}

// A second for each piece: what is served meanwhile is served between two of them.
TEST(DriverLimits, OthersAreServedBetweenThePiecesOfALongTransfer) {
  Image image("/dev/shm", 2 * kMiB);
  DriverProcess driver(image.path(), {"device=0,name=a,offset=0,length=1048576,bps=65536",
                                      "device=1,name=b,offset=1048576,length=1048576"});
  auto slow = driver.connect(0, {.pages = 512, .rings = 1, .slot_bytes = 32, .slots = 32});
  auto other = driver.connect(1);
  slow.client->put(read_request(*slow.client, 0, 0, kMiB));
  slow.client->publish();
  ASSERT_TRUE(eventually([&] { return driver.stats(0).block.read_bytes != 0; }));
  EXPECT_EQ(other.client->run(read_request(*other.client, 0, 0, 4096)), VIRTIO_BLK_S_OK);
  EXPECT_LT(driver.stats(0).block.read_bytes, kMiB);
  // What was begun is not answered when it did not come to its end.
  driver.close(slow.session);
  EXPECT_EQ(driver.stats(0).block.reads, 0U);
  block::Response response;
  EXPECT_EQ(slow.client->ring().take(response), Verdict::Empty);
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST(DriverLimits, AParkedClientDoesNotHoldUpTheOther) {
  Image image("/dev/shm", 2 * kMiB);
  DriverProcess driver(image.path(), {"device=0,name=a,offset=0,length=1048576,iops=1",
                                      "device=1,name=b,offset=1048576,length=1048576"});
  auto limited = driver.connect(0);
  auto free = driver.connect(1);
  for (std::uint32_t id = 0; id < 8; ++id) {
    limited.client->put(read_request(*limited.client, id, 0, 512));
  }
  limited.client->publish();
  (void)limited.client->response();
  const std::uint64_t before = driver.stats(0).block.reads;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(free.client->run(read_request(*free.client, 0, 0, 4096)), VIRTIO_BLK_S_OK);
  }
  EXPECT_EQ(driver.stats(1).block.reads, 100U);
  EXPECT_LT(before, 8U);
  // Closing does not wait for what was never taken.
  driver.close(limited.session);
  EXPECT_EQ(driver.hang_up(), 0);
}

}  // namespace
}  // namespace cede::test
