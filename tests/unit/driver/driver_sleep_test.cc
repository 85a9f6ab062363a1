// SPDX-License-Identifier: Apache-2.0
// Before the driver sleeps it says in the ring when to wake it: a client that rings only where it
// is asked to is served for ever.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::size_t kReqEvent = RingShape::kBackLine + RingShape::kToEvent;
constexpr Geometry kTwoRings{.pages = 64, .rings = 2, .slot_bytes = 32, .slots = 16};

// Does the driver come to ask for a ring at the request after so many?
bool asks_after(const TestClient& client, std::uint32_t ring, std::uint32_t requests) {
  std::byte* line = client.memory() + client.geometry().ring_offset(ring);
  const std::atomic_ref event(*reinterpret_cast<std::uint32_t*>(line + kReqEvent));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
  while (event.load() != requests + 1) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class DriverSleep : public testing::TestWithParam<const char*> {
 protected:
  Image image_{GetParam(), 8U << 20};
};

INSTANTIATE_TEST_SUITE_P(Engines, DriverSleep, testing::Values("/dev/shm", TEST_IMAGES),
                         [](const auto& place) {
                           return std::string(place.param) == "/dev/shm" ? "Inline" : "Uring";
                         });

TEST_P(DriverSleep, EachRingIsArmedAfterEachRequest) {
  DriverProcess driver(image_.path(), {"device=0,name=a"});
  auto [session, info, client] = driver.connect(0, kTwoRings);
  for (std::uint32_t done = 0; done < 5; ++done) {
    for (std::uint32_t ring = 0; ring < 2; ++ring) {
      ASSERT_TRUE(asks_after(*client, ring, done));
      ASSERT_EQ(client->run(read_request(*client, 3, 8, 4096), ring), VIRTIO_BLK_S_OK);
    }
  }
  EXPECT_EQ(driver.hang_up(), 0);
}

}  // namespace
}  // namespace cede::test
