// SPDX-License-Identifier: Apache-2.0
// Both sides sleep on the real doorbells whenever they can. A wake-up that gets lost shows as a
// test that does not end.
#include <gtest/gtest.h>
#include <poll.h>

#include <random>
#include <vector>

#include "frontend/block/block_device.h"
#include "tests/support/echo_backend.h"

namespace cede::frontend {
namespace {

constexpr int kPatience = 20000;  // ms; how long a sleeper with work in flight may be left alone

void run(const Geometry& geometry, std::uint64_t operations, std::uint32_t depth) {
  test::SessionParts parts = test::make_session_parts(geometry);
  test::EchoBackend backend(parts, std::vector<std::byte>(1 << 20));
  auto device = BlockDevice::attach(test::open_client(parts, backend.info()));
  ASSERT_TRUE(device);
  const auto payload = device->allocate(512);
  ASSERT_TRUE(payload);

  std::mt19937 random(depth);
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  std::uint64_t sleeps = 0;
  std::vector<Completion> done(16);
  while (completed < operations) {
    // Batches of odd sizes, so that both sides meet in all positions.
    const std::uint64_t batch = 1 + random() % depth;
    for (std::uint64_t i = 0; i < batch && submitted < operations && device->in_flight() < depth;
         ++i) {
      const auto ring = static_cast<std::uint16_t>(submitted % geometry.rings);
      const auto kind = submitted % 64 == 0 ? Operation::Kind::Read : Operation::Kind::Flush;
      ASSERT_EQ(device->submit({.kind = kind, .payload = *payload, .cookie = submitted}, ring),
                Status::Ok);
      ++submitted;
    }
    device->publish();
    for (;;) {
      const std::size_t count = device->poll(done);
      ASSERT_FALSE(device->broken());
      completed += count;
      if (count != 0 || device->in_flight() == 0) break;
      if (!device->arm()) continue;
      ++sleeps;
      pollfd wait{device->wait_fd(), POLLIN, 0};
      ASSERT_EQ(::poll(&wait, 1, kPatience), 1)
          << "a wake-up was lost after " << completed << " operations";
      device->clear_wakeup();
    }
  }
  EXPECT_EQ(device->in_flight(), 0U);
  EXPECT_EQ(backend.served(), operations);
  EXPECT_FALSE(backend.broken());
  testing::Test::RecordProperty("frontend_sleeps", static_cast<int>(sleeps));
  testing::Test::RecordProperty("backend_sleeps", static_cast<int>(backend.sleeps()));
  EXPECT_GT(sleeps, 0U);
  EXPECT_GT(backend.sleeps(), 1U);
}

TEST(Wakeup, NoneIsLostAtDepthOne) {
  run({.pages = 16, .rings = 1, .slot_bytes = 32, .slots = 8}, 100'000, 1);
}

TEST(Wakeup, NoneIsLostWithAFullRing) {
  run({.pages = 16, .rings = 1, .slot_bytes = 32, .slots = 8}, 200'000, 8);
}

TEST(Wakeup, NoneIsLostOverSeveralRings) {
  run({.pages = 16, .rings = 4, .slot_bytes = 32, .slots = 8}, 200'000, 8);
}

}  // namespace
}  // namespace cede::frontend
