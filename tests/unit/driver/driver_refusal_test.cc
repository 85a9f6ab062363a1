// SPDX-License-Identifier: Apache-2.0
// What the driver says, in one line and with exit status 1, when it cannot serve.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

class DriverRefusal : public testing::Test {
 protected:
  void expect_refusal(const std::vector<std::string>& exports,
                      const std::vector<std::string>& options, const std::string& message,
                      int open_flags = O_RDWR) {
    DriverProcess driver(image_.path(), exports, options, open_flags);
    EXPECT_EQ(driver.wait(), 1);
    EXPECT_NE(driver.log().find(message), std::string::npos) << driver.log();
    EXPECT_EQ(std::ranges::count(driver.log(), '\n'), 1) << driver.log();
  }

  Image image_{"/dev/shm", 1 << 20};
};

TEST_F(DriverRefusal, AVolumeOutsideItsDisk) {
  expect_refusal({"device=0,name=a,offset=0,length=2097152"}, {},
                 "export a (offset 0, length 2097152) of disk test.img (1048576 bytes): reaches "
                 "beyond the disk");
}

TEST_F(DriverRefusal, AMalformedExport) {
  expect_refusal({"device=0,name=a,size=5"}, {},
                 "--export 'device=0,name=a,size=5': 'size' is not");
}

TEST_F(DriverRefusal, ACommandLineThatIsWrong) {
  expect_refusal({"device=0,name=a"}, {"--colour", "red"}, "--colour");
  expect_refusal({"device=0,name=a"}, {"--log-level", "loud"}, "loud");
  expect_refusal({"device=0,name=a"}, {"--uid", "5"}, "--gid");
}

TEST_F(DriverRefusal, AMissingPartition) {
  expect_refusal({"device=0,name=a,partition=root"}, {}, "no sound GPT");
}

TEST_F(DriverRefusal, AWriterOnAReadOnlyDisk) {
  expect_refusal({"device=0,name=a"}, {}, "the disk is read-only; say read_only", O_RDONLY);
}

TEST_F(DriverRefusal, ADiskThatCanOnlyBeWritten) {
  expect_refusal({"device=0,name=a"}, {}, "opened write-only", O_WRONLY);
  expect_refusal({"device=0,name=a"}, {}, "without O_APPEND", O_RDWR | O_APPEND);
}

TEST_F(DriverRefusal, ImpossibleBlockSizes) {
  expect_refusal({"device=0,name=a"}, {"--logical-block", "500"}, "logical block 500");
  expect_refusal({"device=0,name=a"}, {"--logical-block", "8192"}, "logical block 8192");
  expect_refusal({"device=0,name=a"}, {"--physical-block", "131072"}, "physical block 131072");
}

TEST_F(DriverRefusal, AnEmptyDisk) {
  ASSERT_EQ(::ftruncate(image_.fd(), 100), 0);
  expect_refusal({"device=0,name=a"}, {}, "smaller than one block");
}

TEST_F(DriverRefusal, ADescriptorThatIsNone) {
  expect_refusal({"device=0,name=a"}, {"--disk-fd", "1000"}, "--disk-fd 1000: no such descriptor");
}

TEST_F(DriverRefusal, ADescriptorThatIsNoDisk) {
  DriverProcess driver("/dev/null", {"device=0,name=a"});
  EXPECT_EQ(driver.wait(), 1);
  EXPECT_NE(driver.log().find("neither a regular file nor a block device"), std::string::npos);
}

TEST_F(DriverRefusal, BlockSizesAreTakenAsGiven) {
  DriverProcess driver(image_.path(), {"device=0,name=a"},
                       {"--logical-block", "4096", "--physical-block", "16384"});
  auto [session, info, client] = driver.connect(0);
  EXPECT_EQ(info.logical_block, 4096U);
  EXPECT_EQ(info.physical_block, 16384U);
  EXPECT_EQ(client->run(read_request(*client, 0, 8, 512)), VIRTIO_BLK_S_IOERR);
}

}  // namespace
}  // namespace cede::test
