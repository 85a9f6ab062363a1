// SPDX-License-Identifier: Apache-2.0
// Every way to erase, also those that this machine's file systems would not need.
#include "driver_vm/block/uring_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "tests/support/image.h"

namespace cede::driver {
namespace {

constexpr std::size_t kBytes = 4 << 20;
constexpr std::size_t kFrom = 4096;
constexpr std::size_t kLength = (2 << 20) + 8192;  // several pieces of any kind

class UringDiskErases : public testing::Test, public DiskClient {
 protected:
  void SetUp() override { use(test::checked(::memfd_create("disk", MFD_CLOEXEC))); }
  void use(Fd fd) {
    fd_ = std::move(fd);
    const std::vector<std::byte> ones(kBytes, std::byte{0xFF});
    ASSERT_EQ(::pwrite(fd_.get(), ones.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
  }
  void finished(DiskRequest& /*request*/, DiskOutcome outcome) override {
    outcome_ = outcome;
    finished_ = true;
  }
  DiskOutcome erase(const DiskFacts& facts, DiskRequest::Kind kind, bool unmap = false) {
    EventLoop loop;
    UringDisk disk(fd_.get(), facts, loop, 1, RequestMemory::Pinned);
    disk.attach(*this);
    loop.start(disk_operations());
    DiskRequest request{.kind = kind, .unmap = unmap, .length = kLength, .offset = kFrom};
    disk.start(request);
    while (!finished_) loop.sleep(kNever);
    return outcome_;
  }
  [[nodiscard]] blkcnt_t blocks() const {
    struct stat status {};
    ::fstat(fd_.get(), &status);
    return status.st_blocks;
  }
  void expect_zeroes_there_and_nowhere_else() const {
    std::vector<std::byte> bytes(kBytes);
    ASSERT_EQ(::pread(fd_.get(), bytes.data(), kBytes, 0), static_cast<ssize_t>(kBytes));
    const auto all = [&](std::size_t from, std::size_t to, std::byte value) {
      return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                         bytes.begin() + static_cast<std::ptrdiff_t>(to),
                         [value](std::byte byte) { return byte == value; });
    };
    EXPECT_TRUE(all(0, kFrom, std::byte{0xFF}));
    EXPECT_TRUE(all(kFrom, kFrom + kLength, std::byte{0}));
    EXPECT_TRUE(all(kFrom + kLength, kBytes, std::byte{0xFF}));
  }

  Fd fd_;
  bool finished_ = false;
  DiskOutcome outcome_{};
  static constexpr DiskFacts kAble{.bytes = kBytes,
                                   .logical_block = 512,
                                   .physical_block = 4096,
                                   .can_punch = true,
                                   .can_allocate = true};
};

TEST_F(UringDiskErases, DiscardMakesAHole) {
  const blkcnt_t before = blocks();
  EXPECT_EQ(erase(kAble, DiskRequest::Kind::Discard), DiskOutcome::Ok);
  expect_zeroes_there_and_nowhere_else();
  EXPECT_LT(blocks(), before);
}

TEST_F(UringDiskErases, ZeroesThatMayBeAHoleAreOne) {
  const blkcnt_t before = blocks();
  EXPECT_EQ(erase(kAble, DiskRequest::Kind::WriteZeroes, true), DiskOutcome::Ok);
  expect_zeroes_there_and_nowhere_else();
  EXPECT_LT(blocks(), before);
}

TEST_F(UringDiskErases, ZeroesWithoutZeroRangeKeepTheirBlocks) {
  const blkcnt_t before = blocks();
  EXPECT_EQ(erase(kAble, DiskRequest::Kind::WriteZeroes), DiskOutcome::Ok);
  expect_zeroes_there_and_nowhere_else();
  EXPECT_EQ(blocks(), before);
}

TEST_F(UringDiskErases, ZeroesAreWrittenWhereNothingElseWorks) {
  const DiskFacts plain{.bytes = kBytes, .logical_block = 512, .physical_block = 4096};
  EXPECT_EQ(erase(plain, DiskRequest::Kind::WriteZeroes, true), DiskOutcome::Ok);
  expect_zeroes_there_and_nowhere_else();
}

TEST_F(UringDiskErases, ZeroesAreWrittenPastThePageCache) {
  const test::Image image(TEST_IMAGES, kBytes);
  use(test::checked(::open(image.path().c_str(), O_RDWR | O_CLOEXEC)));
  if (::fcntl(fd_.get(), F_SETFL, O_DIRECT) != 0) GTEST_SKIP() << "no direct I/O here";
  const DiskFacts plain{.bytes = kBytes, .logical_block = 4096, .physical_block = 4096};
  EXPECT_EQ(erase(plain, DiskRequest::Kind::WriteZeroes, true), DiskOutcome::Ok);
  ASSERT_EQ(::fcntl(fd_.get(), F_SETFL, 0), 0);
  expect_zeroes_there_and_nowhere_else();
}

TEST_F(UringDiskErases, ZeroesAreWrittenWhereZeroRangeTurnsOutToBeMissing) {
  DiskFacts optimistic = kAble;
  optimistic.can_zero_range = true;  // tmpfs has none
  EXPECT_EQ(erase(optimistic, DiskRequest::Kind::WriteZeroes), DiskOutcome::Ok);
  expect_zeroes_there_and_nowhere_else();
}

}  // namespace
}  // namespace cede::driver
