// SPDX-License-Identifier: Apache-2.0
// A driver that breaks the protocol costs its client an error: the device is broken for good, says
// what was left unanswered, and touches nothing that it should not.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "frontend/block/block_device.h"
#include "tests/support/client_session.h"

namespace cede::frontend {
namespace {

constexpr Geometry kGeometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 16};

// The driver's side by hand: it may write anything anywhere in the region.
class HostileDriver : public testing::Test {
 protected:
  HostileDriver()
      : parts_(test::make_session_parts(kGeometry)),
        region_(*Mapping::map(parts_.driver.region.get(), kGeometry.bytes())) {
    format_ring(region_.data());
    device_.emplace(*BlockDevice::attach(test::open_client(parts_, test::disk_info(1 << 20))));
  }

  void submit(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(device_->submit({.kind = Operation::Kind::Flush, .cookie = i}), Status::Ok);
    }
    device_->publish();
  }
  [[nodiscard]] std::uint32_t id_in_slot(std::uint32_t slot) const {
    return SharedSlot<block::Request>(place(slot)).copy_in().id;
  }
  void respond(std::uint32_t slot, const block::Response& response) {
    SharedSlot<block::Response>(place(slot)).copy_out(response);
  }
  void publish(std::uint32_t producer) {
    SharedIndex(region_.data() + RingShape::kBackLine).store(producer, std::memory_order_release);
  }
  std::size_t poll() {
    std::vector<Completion> done(64);
    return device_->poll(done);
  }
  void expect_broken(std::size_t unanswered) {
    EXPECT_TRUE(device_->broken());
    EXPECT_EQ(device_->unanswered().size(), unanswered);
    EXPECT_EQ(device_->submit({.kind = Operation::Kind::Flush}), Status::Broken);
    EXPECT_FALSE(device_->arm()) << "nobody must sleep on a broken device";
    EXPECT_EQ(poll(), 0U);
    device_->publish();
  }

  test::SessionParts parts_;
  Mapping region_;
  std::optional<BlockDevice> device_;

 private:
  [[nodiscard]] std::byte* place(std::uint32_t slot) const {
    return region_.data() + RingShape::kSlots + std::size_t{slot} * kGeometry.slot_bytes;
  }
};

TEST_F(HostileDriver, AnswersAnIdBeyondTheRing) {
  submit(4);
  respond(0, {16, 0});
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(4);
}

TEST_F(HostileDriver, AnswersTheLargestId) {
  submit(1);
  respond(0, {UINT32_MAX, 0});
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(1);
}

TEST_F(HostileDriver, AnswersAnIdThatIsNotInFlight) {
  submit(4);
  std::uint32_t unused = 0;
  for (std::uint32_t slot = 0; slot < 4; ++slot) unused = std::max(unused, id_in_slot(slot) + 1);
  respond(0, {unused, 0});
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(4);
}

TEST_F(HostileDriver, AnswersTheSameIdTwice) {
  submit(4);
  const std::uint32_t id = id_in_slot(2);
  respond(0, {id, 0});
  respond(1, {id, 0});
  publish(2);
  EXPECT_EQ(poll(), 1U) << "the first answer was right";
  expect_broken(3);
}

TEST_F(HostileDriver, AnswersWithAnUnknownStatus) {
  submit(2);
  respond(0, {id_in_slot(0), VIRTIO_BLK_S_UNSUPP + 1});
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(2);
}

TEST_F(HostileDriver, AnswersMoreThanWasAsked) {
  submit(3);
  publish(4);
  EXPECT_EQ(poll(), 0U);
  expect_broken(3);
}

TEST_F(HostileDriver, AnswersBeforeAnythingWasAsked) {
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(0);
}

TEST_F(HostileDriver, PublishesAWholeRingTooMuch) {
  submit(16);
  publish(17);
  EXPECT_EQ(poll(), 0U);
  expect_broken(16);
}

TEST_F(HostileDriver, MovesItsProducerBackwards) {
  submit(4);
  respond(0, {id_in_slot(0), 0});
  respond(1, {id_in_slot(1), 0});
  publish(2);
  EXPECT_EQ(poll(), 2U);
  publish(1);
  EXPECT_EQ(poll(), 0U);
  expect_broken(2);
}

TEST_F(HostileDriver, IsFoundOutWhenTheFrontendWantsToSleep) {
  submit(2);
  publish(1000);
  EXPECT_FALSE(device_->arm());
  expect_broken(2);
}

TEST_F(HostileDriver, RewritesRequestsAfterTheyWerePublished) {
  submit(4);
  const std::uint32_t first = id_in_slot(0);
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    SharedSlot<block::Request>(region_.data() + RingShape::kSlots +
                               std::size_t{slot} * kGeometry.slot_bytes)
        .copy_out({VIRTIO_BLK_T_OUT, 0, UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, 0});
  }
  respond(0, {first, 0});
  publish(1);
  Completion done;
  ASSERT_EQ(device_->poll({&done, 1}), 1U) << "the frontend reads its own record only";
  EXPECT_EQ(done.cookie, 0U);
  EXPECT_FALSE(device_->broken());
}

TEST_F(HostileDriver, RingsTheCallWithoutEnd) {
  submit(1);
  const CallRinger call(std::move(parts_.driver.call));
  for (int i = 0; i < 10000; ++i) call.ring();
  device_->clear_wakeup();
  EXPECT_EQ(poll(), 0U);
  EXPECT_FALSE(device_->broken());
  EXPECT_TRUE(device_->arm());
}

struct Word {
  std::uint64_t value = 0;
};

TEST(RandomlyHostileDriver, BreaksTheDeviceOrCompletesWhatIsInFlight) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    test::SessionParts parts = test::make_session_parts(kGeometry);
    const Mapping region = *Mapping::map(parts.driver.region.get(), kGeometry.bytes());
    format_ring(region.data());
    auto device = BlockDevice::attach(test::open_client(parts, test::disk_info(1 << 20)));
    ASSERT_TRUE(device);
    std::uint32_t completed = 0;
    std::uint32_t submitted = 0;
    for (int step = 0; step < 50 && !device->broken(); ++step) {
      const auto words = static_cast<std::size_t>(kGeometry.ring_stride() / 8);
      for (int i = 0; i < 20; ++i) {
        const std::size_t word = random() % 4 == 0 ? RingShape::kBackLine / 8 : random() % words;
        SharedSlot<Word>(region.data() + word * sizeof(Word)).copy_out({random() % 20});
      }
      if (device->submit({.kind = Operation::Kind::Flush}) == Status::Ok) ++submitted;
      device->publish();
      Completion done[4];
      completed += static_cast<std::uint32_t>(device->poll(done));
      ASSERT_EQ(device->in_flight(), submitted - completed);
      ASSERT_EQ(device->unanswered().size(), submitted - completed);
    }
  }
}

}  // namespace
}  // namespace cede::frontend
