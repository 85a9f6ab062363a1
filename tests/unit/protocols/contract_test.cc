// SPDX-License-Identifier: Apache-2.0
// The small contracts: geometry, block info, names, statuses, latency buckets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <type_traits>

#include "protocols/block.h"
#include "protocols/control.h"
#include "protocols/driver_vm.h"
#include "protocols/session.h"
#include "protocols/stats.h"
#include "protocols/status.h"

namespace cede {
namespace {

constexpr Geometry kTypical{.pages = 4096, .rings = 1, .slot_bytes = 32, .slots = 128};

TEST(Geometry, AcceptsWhatADeviceNeeds) {
  EXPECT_TRUE(kTypical.valid());
  EXPECT_TRUE((Geometry{.pages = 2, .rings = 1, .slot_bytes = 8, .slots = 1}.valid()));
  EXPECT_TRUE((Geometry{.pages = Geometry::kMaxPages, .rings = 16, .slot_bytes = 256, .slots = 4096}
                   .valid()));
}

TEST(Geometry, RefusesEachFieldOutOfRange) {
  const auto with = [](auto change) {
    Geometry geometry = kTypical;
    change(geometry);
    return geometry.valid();
  };
  EXPECT_FALSE(with([](Geometry& g) { g.pages = 0; }));
  EXPECT_FALSE(with([](Geometry& g) { g.pages = 4095; }));
  EXPECT_FALSE(with([](Geometry& g) { g.pages = Geometry::kMaxPages * 2; }));
  EXPECT_FALSE(with([](Geometry& g) { g.pages = UINT32_MAX; }));
  EXPECT_FALSE(with([](Geometry& g) { g.rings = 0; }));
  EXPECT_FALSE(with([](Geometry& g) { g.rings = 17; }));
  EXPECT_FALSE(with([](Geometry& g) { g.rings = UINT16_MAX; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slots = 0; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slots = 100; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slots = 8192; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slots = 1U << 31; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slot_bytes = 0; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slot_bytes = 4; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slot_bytes = 24; }));
  EXPECT_FALSE(with([](Geometry& g) { g.slot_bytes = 512; }));
  // Rings that leave no page for payload.
  EXPECT_FALSE(with([](Geometry& g) { g.pages = 2; }));
}

TEST(Geometry, RingsArePageAlignedDisjointAndBeforeThePayload) {
  for (std::uint16_t slot_bytes = 8; slot_bytes <= 256; slot_bytes *= 2) {
    for (std::uint32_t slots = 1; slots <= 4096; slots *= 2) {
      for (std::uint16_t rings = 1; rings <= Geometry::kMaxRings; ++rings) {
        const Geometry geometry{Geometry::kMaxPages, rings, slot_bytes, slots};
        ASSERT_TRUE(geometry.valid());
        for (std::uint32_t ring = 0; ring < rings; ++ring) {
          ASSERT_EQ(geometry.ring_offset(ring) % kPageBytes, 0U);
          ASSERT_LE(geometry.ring_offset(ring) + geometry.ring_shape().bytes(),
                    ring + 1 < rings ? geometry.ring_offset(ring + 1) : geometry.data_offset());
        }
      }
    }
  }
}

TEST(Geometry, HoldsExactlyTheExtentsInsideThePayload) {
  const std::uint64_t first = kTypical.data_offset();
  const std::uint64_t end = kTypical.bytes();
  EXPECT_TRUE(kTypical.holds(first, end - first));
  EXPECT_TRUE(kTypical.holds(end - 1, 1));
  EXPECT_TRUE(kTypical.holds(end, 0));
  EXPECT_FALSE(kTypical.holds(first - 1, 1)) << "the last byte of a ring";
  EXPECT_FALSE(kTypical.holds(0, 1));
  EXPECT_FALSE(kTypical.holds(end, 1));
  EXPECT_FALSE(kTypical.holds(end - 1, 2));
  EXPECT_FALSE(kTypical.holds(first, end - first + 1));
  EXPECT_FALSE(kTypical.holds(end + 1, 0));
  EXPECT_FALSE(kTypical.holds(first, UINT64_MAX));
  EXPECT_FALSE(kTypical.holds(UINT64_MAX, 1)) << "the sum wraps to 0";
  EXPECT_FALSE(kTypical.holds(UINT64_MAX - 4095, 8192)) << "the sum wraps into the rings";
  EXPECT_FALSE(kTypical.holds(first, UINT64_MAX - first + 1)) << "the sum wraps to 0";
}

TEST(Geometry, HoldsAgreesWithArithmeticThatIsWideEnough) {
  std::mt19937_64 random(1);
  int held = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Geometry geometry{1U << (1 + random() % 18),
                            static_cast<std::uint16_t>(1 + random() % 16),
                            static_cast<std::uint16_t>(8U << random() % 6), 1U << random() % 13};
    if (!geometry.valid()) continue;
    const auto near = [&] {
      const std::array edges = {std::uint64_t{0}, geometry.data_offset(), geometry.bytes(),
                                UINT64_MAX, random()};
      return edges[random() % edges.size()] + random() % 5 - 2;
    };
    const std::uint64_t offset = near();
    const std::uint64_t length = random() % 2 == 0 ? near() : near() - offset;
    __extension__ using Wide = unsigned __int128;
    const bool inside =
        offset >= geometry.data_offset() && Wide{offset} + length <= Wide{geometry.bytes()};
    ASSERT_EQ(geometry.holds(offset, length), inside) << offset << " + " << length;
    held += inside ? 1 : 0;
  }
  EXPECT_GT(held, 1000);
}

constexpr block::Info kInfo{.sectors = 131072,
                            .logical_block = 512,
                            .physical_block = 4096,
                            .max_transfer = 1 << 20,
                            .max_erase = 1 << 30,
                            .features = block::Info::kFlush};

TEST(BlockInfo, AcceptsARealVolume) {
  EXPECT_TRUE(kInfo.valid());
  block::Info large_blocks = kInfo;
  large_blocks.logical_block = 4096;
  large_blocks.physical_block = 65536;
  EXPECT_TRUE(large_blocks.valid());
  block::Info empty = kInfo;
  empty.sectors = 0;
  EXPECT_TRUE(empty.valid());
}

TEST(BlockInfo, RefusesEachFieldThatWouldMisleadAFrontend) {
  const auto with = [](auto change) {
    block::Info info = kInfo;
    change(info);
    return info.valid();
  };
  EXPECT_FALSE(with([](block::Info& i) { i.logical_block = 0; }));
  EXPECT_FALSE(with([](block::Info& i) { i.logical_block = 256; }));
  EXPECT_FALSE(with([](block::Info& i) { i.logical_block = 768; }));
  EXPECT_FALSE(with([](block::Info& i) {
    i.logical_block = 8192;
    i.physical_block = 8192;
  }));
  EXPECT_FALSE(with([](block::Info& i) { i.physical_block = 0; }));
  EXPECT_FALSE(with([](block::Info& i) {
    i.logical_block = 4096;
    i.physical_block = 512;
  }));
  EXPECT_FALSE(with([](block::Info& i) { i.physical_block = 131072; }));
  EXPECT_FALSE(with([](block::Info& i) { i.max_transfer = 0; }));
  EXPECT_FALSE(with([](block::Info& i) { i.max_transfer = 511; }));
  EXPECT_FALSE(with([](block::Info& i) { i.max_transfer = 1000; }));
  EXPECT_FALSE(with([](block::Info& i) { i.max_erase = 513; }));
  EXPECT_FALSE(with([](block::Info& i) {
    i.logical_block = 4096;
    i.sectors = 9;
  }));
  EXPECT_FALSE(with([](block::Info& i) { i.sectors = UINT64_MAX; })) << "bytes would wrap";
  EXPECT_FALSE(with([](block::Info& i) { i.sectors = (UINT64_MAX >> 9) + 1; }));
  EXPECT_TRUE(with([](block::Info& i) { i.sectors = UINT64_MAX >> 9; }));
}

TEST(Name, IsCutPaddedAndAlwaysReadable) {
  EXPECT_EQ(Name("alice/vda").view(), "alice/vda");
  EXPECT_EQ(Name("").view(), "");
  EXPECT_EQ(Name(std::string(100, 'x')).view(), std::string(31, 'x'));
  Name hostile;
  std::fill(std::begin(hostile.text), std::end(hostile.text), 'y');
  EXPECT_EQ(hostile.view(), std::string(32, 'y')) << "no terminator: ends where the field ends";
}

TEST(Status, EachHasWordsOfItsOwn) {
  std::set<std::string_view> words;
  for (std::uint16_t i = 0; i <= static_cast<std::uint16_t>(Status::Broken); ++i) {
    EXPECT_TRUE(words.insert(to_string(static_cast<Status>(i))).second) << i;
  }
  EXPECT_EQ(to_string(static_cast<Status>(999)), "unknown status");
  EXPECT_FALSE(words.contains("unknown status"));
}

TEST(SessionState, EachHasWordsOfItsOwn) {
  std::set<std::string_view> words;
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(SessionState::Draining); ++i) {
    EXPECT_TRUE(words.insert(to_string(static_cast<SessionState>(i))).second) << int{i};
  }
  EXPECT_EQ(to_string(static_cast<SessionState>(99)), "unknown");
}

TEST(Result, CarriesAValueOrTheReasonWhyThereIsNone) {
  const Result<std::string> value(std::string("pages"));
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, "pages");
  EXPECT_EQ(value->size(), 5U);
  EXPECT_EQ(value.status(), Status::Ok);
  const Result<std::string> failure(Status::Overdrawn);
  EXPECT_FALSE(failure);
  EXPECT_EQ(failure.status(), Status::Overdrawn);
}

TEST(LatencyBuckets, ContainTheirFloorAndNothingBelowIt) {
  for (std::size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
    ASSERT_EQ(latency_bucket(latency_floor(bucket)), bucket);
    if (bucket != 0) {
      ASSERT_EQ(latency_bucket(latency_floor(bucket) - 1), bucket - 1);
    }
  }
}

TEST(LatencyBuckets, FloorIsLessThanTwentyPercentBelowTheLatency) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t nanoseconds = random() >> (31 + random() % 32);
    const std::uint64_t floor = latency_floor(latency_bucket(nanoseconds));
    ASSERT_LE(floor, nanoseconds);
    if (latency_bucket(nanoseconds) + 1 == kLatencyBuckets) continue;
    ASSERT_LE(5 * (nanoseconds - floor), nanoseconds);
  }
}

TEST(LatencyBuckets, TheLastTakesEverythingAbove) {
  EXPECT_EQ(latency_bucket(UINT64_MAX), kLatencyBuckets - 1);
  EXPECT_GT(latency_floor(kLatencyBuckets - 1), 7'000'000'000U) << "seconds still have buckets";
}

static_assert(std::has_unique_object_representations_v<Message>, "padding would leak memory");

// The layouts that docs/protocol.md promises to programs in other languages. Whoever changes one
// raises the version by which a driver VM's host knows a guest of other layouts.
static_assert(VmPacket::kMagic == 0xced50002);
static_assert(offsetof(Message, status) == 2 && offsetof(Message, tag) == 4 &&
              offsetof(Message, subject) == 8 && offsetof(Message, object) == 16 &&
              offsetof(Message, index) == 24 && offsetof(Message, pages) == 28 &&
              offsetof(Message, device) == 32 && offsetof(Message, geometry) == 40 &&
              offsetof(Message, row) == 56 && offsetof(Message, name) == 96 &&
              offsetof(Message, info) == 128);
static_assert(offsetof(Geometry, rings) == 4 && offsetof(Geometry, slot_bytes) == 6 &&
              offsetof(Geometry, slots) == 8 && sizeof(Geometry) == 12);
static_assert(RingShape::kFrontLine == 0 && RingShape::kBackLine == 128 &&
              RingShape::kToEvent == 64 && RingShape::kSlots == 256);
static_assert(offsetof(block::Request, flags) == 2 && offsetof(block::Request, id) == 4 &&
              offsetof(block::Request, sector) == 8 && offsetof(block::Request, offset) == 16 &&
              offsetof(block::Request, length) == 24 && sizeof(block::Request) == 32);
static_assert(offsetof(block::Response, status) == 4 && sizeof(block::Response) == 8);
static_assert(offsetof(block::Info, logical_block) == 8 && offsetof(block::Info, features) == 24 &&
              offsetof(block::Info, serial) == 32 && sizeof(block::Info) == 56);

TEST(Message, IsOnePacketOfZeroesUntilFilled) {
  const Message empty;
  std::array<unsigned char, sizeof(Message)> bytes{};
  std::memcpy(bytes.data(), &empty, sizeof empty);
  EXPECT_EQ(bytes, (std::array<unsigned char, sizeof(Message)>{}))
      << "a fresh message carries nothing of its sender's memory";
}

}  // namespace
}  // namespace cede
