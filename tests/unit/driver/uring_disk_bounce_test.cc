// SPDX-License-Identifier: Apache-2.0
// Requests whose memory cannot be pinned. Here it is not even aligned: direct I/O would refuse it,
// if it were used as it is.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "driver_vm/block/uring_disk.h"
#include "tests/support/image.h"

namespace cede::driver {
namespace {

constexpr std::size_t kBytes = 4 << 20;
constexpr std::size_t kLength = 300 << 10;  // five bounce buffers, the last one not full
constexpr std::size_t kFrom = 4096;

class UringDiskBounces : public testing::Test, public DiskClient {
 protected:
  void finished(DiskRequest& /*request*/, DiskOutcome outcome) override {
    EXPECT_EQ(outcome, DiskOutcome::Ok);
    ++finished_;
  }
  static DiskRequest request(DiskRequest::Kind kind, std::size_t offset,
                             std::vector<std::byte>& memory) {
    return {.kind = kind,
            .buffer = EventLoop::kNotPinned,
            .length = kLength,
            .offset = offset,
            .memory = memory.data() + 1};
  }
  // All at once.
  void run(std::vector<DiskRequest> requests) {
    EventLoop loop;
    UringDisk disk(image_.fd(), {.bytes = kBytes, .logical_block = 4096, .physical_block = 4096},
                   loop, requests.size(), RequestMemory::NotPinned);
    disk.attach(*this);
    loop.start(disk_operations());
    for (DiskRequest& each : requests) disk.start(each);
    while (finished_ < requests.size()) loop.sleep(kNever);
    finished_ = 0;
  }
  static std::vector<std::byte> filled(std::size_t seed) {
    std::vector<std::byte> memory(1 + kLength);
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = std::byte(i / 251 + seed);
    return memory;
  }

  test::Image image_{TEST_IMAGES, kBytes};
  std::size_t finished_ = 0;
};

TEST_F(UringDiskBounces, SeveralAtATimeArriveWholeAndApart) {
  if (::fcntl(image_.fd(), F_SETFL, O_DIRECT) != 0) GTEST_SKIP() << "no direct I/O here";
  std::vector<std::byte> one = filled(1);
  std::vector<std::byte> two = filled(2);
  run({request(DiskRequest::Kind::Write, kFrom, one),
       request(DiskRequest::Kind::Write, kFrom + kLength, two)});

  ASSERT_EQ(::fcntl(image_.fd(), F_SETFL, 0), 0);
  EXPECT_TRUE(std::equal(one.begin() + 1, one.end(), image_.read(kFrom, kLength).begin()));
  EXPECT_TRUE(
      std::equal(two.begin() + 1, two.end(), image_.read(kFrom + kLength, kLength).begin()));
  EXPECT_EQ(image_.read(0, kFrom), std::vector<std::byte>(kFrom));
  EXPECT_EQ(image_.read(kFrom + 2 * kLength, kFrom), std::vector<std::byte>(kFrom));

  ASSERT_EQ(::fcntl(image_.fd(), F_SETFL, O_DIRECT), 0);
  std::vector<std::byte> one_again(1 + kLength, one[0]);
  std::vector<std::byte> two_again(1 + kLength, two[0]);
  run({request(DiskRequest::Kind::Read, kFrom, one_again),
       request(DiskRequest::Kind::Read, kFrom + kLength, two_again)});
  EXPECT_EQ(one_again, one);
  EXPECT_EQ(two_again, two);
}

}  // namespace
}  // namespace cede::driver
