// SPDX-License-Identifier: Apache-2.0
// A block device as the disk: a loop device, so this needs root.
#include <gtest/gtest.h>

#include "tests/support/loop_device.h"
#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::uint64_t kBytes = 4 << 20;

class DriverDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    bytes_ = pattern(kBytes, 1);
    image_.write(0, bytes_);
    loop_ = std::make_unique<LoopDevice>(image_);
  }

  Image image_{TEST_IMAGES, kBytes};
  std::vector<std::byte> bytes_;
  std::unique_ptr<LoopDevice> loop_;
};

TEST_F(DriverDevice, ReadsWritesAndErasesReachTheMedium) {
  DriverProcess driver(loop_->path(), {"device=0,name=a"});
  auto [session, info, client] = driver.connect(0);
  EXPECT_EQ(info.sectors, kBytes / 512);
  EXPECT_EQ(info.logical_block, 4096U);
  ASSERT_EQ(client->run(read_request(*client, 0, 64, 8192)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(client->payload(0, 8192), std::span(bytes_).subspan(32768, 8192)));

  const auto fresh = pattern(8192, 2);
  std::ranges::copy(fresh, client->payload(0, 8192).begin());
  ASSERT_EQ(client->run(write_request(*client, 1, 128, 8192)), VIRTIO_BLK_S_OK);
  ASSERT_EQ(client->run(erase_request(VIRTIO_BLK_T_WRITE_ZEROES, 2, 1024, 65536)), VIRTIO_BLK_S_OK);
  if ((info.features & block::Info::kDiscard) != 0) {
    ASSERT_EQ(client->run(erase_request(VIRTIO_BLK_T_DISCARD, 3, 2048, 65536)), VIRTIO_BLK_S_OK);
  }
  ASSERT_EQ(client->run(flush_request(4)), VIRTIO_BLK_S_OK);
  EXPECT_TRUE(same(image_.read(128 * 512, 8192), fresh));
  EXPECT_TRUE(same(image_.read(1024 * 512, 65536), std::vector<std::byte>(65536)));
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_F(DriverDevice, ALogicalBlockBelowTheDevicesOwnIsRefused) {
  DriverProcess driver(loop_->path(), {"device=0,name=a"}, {"--logical-block", "512"});
  EXPECT_EQ(driver.wait(), 1);
  EXPECT_NE(driver.log().find("logical block 512 is below the device's own 4096"),
            std::string::npos)
      << driver.log();
}

}  // namespace
}  // namespace cede::test
