// SPDX-License-Identifier: Apache-2.0
// Disks from the description to the bytes: what a client reads and writes by vhost-user is looked
// for on the image, at the place that the description says.
#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "tests/support/image.h"
#include "tests/support/loop_device.h"
#include "tests/support/pattern.h"
#include "tests/unit/supervisor/guest.h"
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

using test::pattern;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::size_t kBlock = 4096;

using StorageTest = SystemTest;

struct Medium {
  const char* title;
  bool direct;
  bool device;  // a block device with blocks of 4 KiB
};

class PartitionTest : public StorageTest, public testing::WithParamInterface<Medium> {
 protected:
  static constexpr std::uint64_t kBobsOffset = 20 * kMiB;

  void SetUp() override {
    if (GetParam().direct && !Fd(::open(image_.path().c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT))) {
      GTEST_SKIP() << "the build folder's file system has no direct I/O";
    }
    if (GetParam().device) loop_.emplace(image_);
    const std::string disk = loop_ ? loop_->path() : image_.path();
    // Partitions between which and behind which there is room to spoil.
    const Outcome table = shell(
        fmt::format(SGDISK " -n 1:1M:+16M -c '1:first part' -n 2:20M:+16M -c 2:second {}", disk));
    ASSERT_EQ(table.code, 0) << table.text;
    describe({.disk = disk,
              .driver = fmt::format("direct = {}", GetParam().direct),
              .volume_a = "partition = \"first part\"",
              .volume_b = "partition = \"second\""});
  }

  test::Image image_{TEST_IMAGES, 64 * kMiB};
  std::optional<test::LoopDevice> loop_;
};

INSTANTIATE_TEST_SUITE_P(Media, PartitionTest,
                         testing::Values(Medium{"File", false, false},
                                         Medium{"FilePastThePageCache", true, false},
                                         Medium{"Device", false, true},
                                         Medium{"DevicePastThePageCache", true, true}),
                         [](const auto& test) { return std::string(test.param.title); });

TEST_P(PartitionTest, BytesGoWhereTheTableSaysAndNowhereElse) {
  const auto before = pattern(kBlock, 1);
  image_.write(kBobsOffset + 5 * kBlock, before);
  auto expected = image_.read(0, 64 * kMiB);
  up();
  {
    Guest bob(vda("bob"));
    EXPECT_EQ(bob.config().capacity, 16 * kMiB / 512);
    EXPECT_EQ(bob.read(5 * kBlock, kBlock), before);
    const auto fresh = pattern(3 * kBlock, 2);
    bob.write(8 * kBlock, fresh);
    bob.write(16 * kMiB - kBlock, before);
    EXPECT_EQ(bob.execute({.type = VIRTIO_BLK_T_FLUSH}), VIRTIO_BLK_S_OK);
    EXPECT_EQ(bob.read(8 * kBlock, 3 * kBlock), fresh);
    EXPECT_EQ(bob.execute({.sector = 16 * kMiB / 512, .bytes = kBlock}), VIRTIO_BLK_S_IOERR);
    // No part of a block, on a disk of large ones.
    EXPECT_EQ(bob.config().blk_size, GetParam().device ? kBlock : 512);
    const auto part = GetParam().device ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
    EXPECT_EQ(bob.execute({.sector = 0, .bytes = 512}), part);
    EXPECT_EQ(bob.execute({.sector = 1, .bytes = kBlock}), part);
    std::ranges::copy(fresh, expected.begin() + kBobsOffset + 8 * kBlock);
    std::ranges::copy(before, expected.begin() + kBobsOffset + 16 * kMiB - kBlock);
  }
  down();
  EXPECT_TRUE(image_.read(0, 64 * kMiB) == expected);
}

TEST_F(StorageTest, TheDiskIsFreeAtOnceForTheNextUp) {
  for (int round = 0; round < 5; ++round) {
    up();
    Guest alice(vda("alice"));
    // Down with writes under way, or with a driver that was killed under them.
    for (std::uint64_t i = 0; i < 64; ++i) {
      alice.submit(0, {.type = VIRTIO_BLK_T_OUT, .sector = i * 64, .bytes = 32768});
    }
    alice.publish(0);
    if (round % 2 == 1) ::kill(pid_of("disk0"), SIGKILL);
    down();
  }
}

TEST_F(StorageTest, AReaderOfWhatAnotherWritesIsWarnedOfAndReads) {
  describe({.volume_b = "offset = \"2M\"\nsize = \"4M\"\nread_only = true"});
  const Outcome outcome = cede("up " + description_.string());
  EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_NE(outcome.text.find("warning: volume 'b' overlaps volume 'a', and one is written; "),
            std::string::npos)
      << outcome.text;
  {
    Guest alice(vda("alice"));
    Guest bob(vda("bob"));
    const auto data = pattern(kBlock, 3);
    alice.write(kMiB, data);
    EXPECT_EQ(bob.read(0, kBlock), data);
    EXPECT_EQ(bob.execute({.type = VIRTIO_BLK_T_OUT, .bytes = kBlock}), VIRTIO_BLK_S_IOERR);
  }
  down();
}

}  // namespace
}  // namespace cede::supervisor
