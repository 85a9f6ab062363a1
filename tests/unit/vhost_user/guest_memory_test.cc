// SPDX-License-Identifier: Apache-2.0
#include "frontend/vhost_user/guest_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using test::kGuest;
using test::kUser;
using test::MemoryFile;

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(GuestMemory, RefusesRegionsThatCannotBe) {
  const MemoryFile file(8 * 4096);
  struct Case {
    const char* what;
    MemoryRegion region;
  };
  const Case cases[] = {
      {"empty", {kGuest, 0, kUser, 0}},
      {"longer than the file", {kGuest, 8 * 4096 + 1, kUser, 0}},
      {"past the end by its offset", {kGuest, 4096, kUser, 8 * 4096}},
      {"four times the file", {kGuest, 32 * 4096, kUser, 0}},
      {"offset and size wrap to something small", {kGuest, 4096, kUser, kMax - 4095}},
      {"an offset past every file", {kGuest, 4096, kUser, kMax - 8192}},
      {"guest addresses wrap", {kMax - 4095, 8192, kUser, 0}},
      {"user addresses wrap", {kGuest, 8192, kMax - 4095, 0}},
      {"a size that fills the address space", {kGuest, kMax, kUser, 0}},
      {"overlaps in guest addresses", {kGuest + 4095, 4096, kUser + (1 << 20), 4096}},
      {"encloses in guest addresses", {kGuest - 4096, 4 * 4096, kUser + (1 << 20), 0}},
      {"overlaps in user addresses", {kGuest + (1 << 20), 4096, kUser + 4095, 4096}},
  };
  GuestMemory memory;
  ASSERT_EQ(memory.add({kGuest, 4096, kUser, 0}, file.fd()), Status::Ok);
  for (const Case& one : cases) {
    EXPECT_EQ(memory.add(one.region, file.fd()), Status::Invalid) << one.what;
    EXPECT_EQ(memory.size(), 1U) << one.what;
  }
  EXPECT_EQ(memory.add({kGuest + 4096, 7 * 4096, kUser + 4096, 4096}, file.fd()), Status::Ok);
}

TEST(GuestMemory, RefusesWhatIsNotAFile) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  GuestMemory memory;
  EXPECT_EQ(memory.add({kGuest, 4096, kUser, 0}, reader), Status::Invalid);
  EXPECT_EQ(memory.add({kGuest, 4096, kUser, 0}, Fd()), Status::IoError);
}

TEST(GuestMemory, HoldsABoundedNumberOfRegions) {
  const MemoryFile file(4096);
  GuestMemory memory;
  for (std::uint64_t i = 0; i < GuestMemory::kMaxRegions; ++i) {
    ASSERT_EQ(memory.add({kGuest + i * 4096, 4096, kUser + i * 4096, 0}, file.fd()), Status::Ok);
  }
  EXPECT_EQ(memory.add({0, 4096, 0, 0}, file.fd()), Status::Full);
}

// As QEMU shares a PC's memory: one file, regions at offsets of their own, a hole in between.
class GuestMemoryCopies : public testing::Test {
 protected:
  GuestMemoryCopies() {
    EXPECT_EQ(memory_.add({0, 0xa0000, kUser, 0}, file_.fd()), Status::Ok);
    EXPECT_EQ(memory_.add({0xc0000, 0x40000, kUser + 0xc0000, 0xc0000}, file_.fd()), Status::Ok);
    EXPECT_EQ(memory_.add({0x100000, 0x1000, kUser + 0x200000, 0x100000}, file_.fd()), Status::Ok);
  }
  MemoryFile file_{0x101000};
  GuestMemory memory_;
};

TEST_F(GuestMemoryCopies, RunOverTheSeamOfNeighbours) {
  file_.put<std::uint64_t>(0x100000 - 4, 0x1122334455667788);
  std::uint64_t value = 0;
  EXPECT_TRUE(memory_.read(0x100000 - 4, std::as_writable_bytes(std::span(&value, 1))));
  EXPECT_EQ(value, 0x1122334455667788U);
  value = ~value;
  EXPECT_TRUE(memory_.write(0x100000 - 4, std::as_bytes(std::span(&value, 1))));
  EXPECT_EQ(file_.get<std::uint64_t>(0x100000 - 4), value);
}

TEST_F(GuestMemoryCopies, StopAtHolesAndEnds) {
  EXPECT_TRUE(memory_.covers(0, 0xa0000));
  EXPECT_FALSE(memory_.covers(0, 0xa0001));
  EXPECT_FALSE(memory_.covers(0xa0000, 1));
  EXPECT_FALSE(memory_.covers(0xbffff, 2));
  EXPECT_TRUE(memory_.covers(0xc0000, 0x41000));
  EXPECT_FALSE(memory_.covers(0xc0000, 0x41001));
  EXPECT_FALSE(memory_.covers(0x1000, kMax));
  EXPECT_FALSE(memory_.covers(kMax, 2));
  EXPECT_TRUE(memory_.covers(0x1000, 0));
  std::array<std::byte, 16> bytes{};
  EXPECT_FALSE(memory_.read(0x9fff8, bytes));
  EXPECT_FALSE(memory_.write(0x100ff8, bytes));
  EXPECT_FALSE(memory_.write(kMax - 4, bytes));
}

TEST_F(GuestMemoryCopies, UserRangesLieInOneRegion) {
  EXPECT_NE(memory_.user_range(kUser, 0xa0000), nullptr);
  EXPECT_EQ(memory_.user_range(kUser, 0xa0001), nullptr);
  EXPECT_EQ(memory_.user_range(kUser + 0xa0000, 1), nullptr);
  EXPECT_EQ(memory_.user_range(kUser - 1, 1), nullptr);
  EXPECT_EQ(memory_.user_range(kMax, kMax), nullptr);
  file_.put<std::uint32_t>(0xc0010, 77);
  const std::byte* place = memory_.user_range(kUser + 0xc0010, 4);
  ASSERT_NE(place, nullptr);
  EXPECT_EQ(std::memcmp(place, file_.at(0xc0010), 4), 0);
}

TEST_F(GuestMemoryCopies, ARegionThatIsAddedAgainIsTheSame) {
  EXPECT_EQ(memory_.add({0, 0xa0000, kUser, 0}, file_.fd()), Status::Ok);
  EXPECT_EQ(memory_.size(), 3U);
}

TEST_F(GuestMemoryCopies, ARemovedRegionIsGone) {
  memory_.remove({0xc0000, 0x40000, kUser, 0xc0000});  // there is no such region
  EXPECT_TRUE(memory_.covers(0xc0000, 1));
  memory_.remove({0xc0000, 0x40000, kUser + 0xc0000, 0xc0000});
  memory_.remove({0xc0000, 0x40000, kUser + 0xc0000, 0xc0000});  // QEMU says it again
  EXPECT_FALSE(memory_.covers(0xc0000, 1));
  EXPECT_TRUE(memory_.covers(0x100000, 0x1000));
  EXPECT_TRUE(memory_.covers(0, 1));
}

TEST(GuestMemory, AnOffsetInsideAPageIsHonoured) {
  const MemoryFile file(4096);
  file.put<std::uint32_t>(516, 99);
  GuestMemory memory;
  ASSERT_EQ(memory.add({kGuest, 1024, kUser, 512}, file.fd()), Status::Ok);
  std::uint32_t value = 0;
  ASSERT_TRUE(memory.read(kGuest + 4, std::as_writable_bytes(std::span(&value, 1))));
  EXPECT_EQ(value, 99U);
}

}  // namespace
}  // namespace cede::vhost_user
