// SPDX-License-Identifier: Apache-2.0
// The parts that need no guest: the idle policy, the option's text, requests on paper.
#include <gtest/gtest.h>

#include "frontend/device_option.h"
#include "frontend/idle_policy.h"
#include "frontend/vhost_user/blk_request.h"
#include "protocols/net.h"
#include "tests/unit/vhost_user/memory_file.h"

namespace cede::vhost_user {
namespace {

using frontend::DeviceOption;
using frontend::IdlePolicy;
using frontend::OptionError;
using frontend::parse_device_option;
using std::chrono::microseconds;
using std::chrono::seconds;

TEST(IdlePolicy, PollsLongerWhileSleepsAreShortAndNotAtAllWhenIdle) {
  IdlePolicy policy;
  EXPECT_EQ(policy.polling_time(), microseconds(0));
  policy.slept(microseconds(30));
  EXPECT_EQ(policy.polling_time(), microseconds(10));
  policy.slept(microseconds(30));
  EXPECT_EQ(policy.polling_time(), microseconds(20));
  for (int i = 0; i < 5; ++i) policy.slept(microseconds(45));
  EXPECT_EQ(policy.polling_time(), microseconds(50)) << "bounded";
  policy.slept(seconds(1));
  EXPECT_EQ(policy.polling_time(), microseconds(0));
}

TEST(IdlePolicy, LeavesAProcessorThatOthersWantForAWhile) {
  IdlePolicy policy;
  for (int i = 0; i < 5; ++i) policy.slept(microseconds(45));
  policy.yielded(microseconds(1));
  EXPECT_EQ(policy.polling_time(), microseconds(50)) << "nobody wanted it";
  policy.yielded(microseconds(3000));
  int sleeps = 0;
  for (; policy.polling_time() == microseconds(0) && sleeps < 10'000; ++sleeps) {
    policy.slept(microseconds(45));
  }
  EXPECT_GT(sleeps, 100);
  EXPECT_LT(sleeps, 10'000) << "it is tried again";
}

TEST(DeviceOption, TakesEveryKey) {
  const DeviceOption option =
      parse_device_option("name=vda,socket=/run/x,queues=4,slots=256,pages=8192");
  EXPECT_EQ(option.name, "vda");
  EXPECT_EQ(option.socket, "/run/x");
  EXPECT_EQ(option.geometry(),
            (Geometry{.pages = 8192, .rings = 4, .slot_bytes = 32, .slots = 256}));
}

TEST(DeviceOption, TakesPortsForAVmmAndForATap) {
  const DeviceOption net = parse_device_option("class=net,name=eth0,socket=/run/x,queues=2");
  EXPECT_EQ(net.device_class, DeviceOption::Class::Net);
  EXPECT_EQ(net.geometry(), net::port_geometry(2, net::kSlots));
  const DeviceOption tap = parse_device_option("name=eth0,tap=7+9,slots=256,class=tap");
  EXPECT_EQ(tap.device_class, DeviceOption::Class::Tap);
  EXPECT_EQ(tap.taps, (std::vector<int>{7, 9}));
  EXPECT_EQ(tap.geometry(), net::port_geometry(2, 256));
}

TEST(DeviceOption, SaysWhatIsWrongWithAPort) {
  for (const char* text :
       {"class=net", "class=nett,name=a,socket=/x", "class=net,name=a,tap=3",
        "class=net,name=a,socket=/x,queues=8", "class=net,name=a,socket=/x,slots=16",
        "class=net,name=a,socket=/x,pages=4096", "class=tap,name=a,socket=/x",
        "class=tap,name=a,tap=", "class=tap,name=a,tap=x", "class=tap,name=a,tap=1+",
        "class=tap,name=a,tap=1+2+3+4+5+6+7+8", "class=tap,name=a,tap=3,queues=1"}) {
    EXPECT_THROW((void)parse_device_option(text), OptionError) << text;
  }
}

TEST(DeviceOption, SaysWhatIsWrong) {
  for (const char* text :
       {"", "name", "name=a", "socket=/x", "name=a,socket=/x,queues=0",
        "name=a,socket=/x,queues=17", "name=a,socket=/x,queues=-1", "name=a,socket=/x,slots=100",
        "name=a,socket=/x,pages=3", "name=a,socket=/x,pages=1",
        "name=a,socket=/x,slots=99999999999", "name=a,,socket=/x", "name=a,socket=/x,pages=4k"}) {
    EXPECT_THROW((void)parse_device_option(text), OptionError) << text;
  }
}

class BlkRequestTest : public testing::Test {
 protected:
  BlkRequestTest() {
    EXPECT_EQ(memory_.add({test::kGuest, 1U << 20, test::kUser, 0}, file_.fd()), Status::Ok);
    rules_.info.sectors = 1000;
    rules_.info.logical_block = rules_.info.physical_block = 1024;
    rules_.info.max_transfer = rules_.info.max_erase = 65536;
    rules_.info.features = block::Info::kFlush | block::Info::kDiscard | block::Info::kWriteZeroes;
  }
  // A request whose header and data are `readable` bytes, and data and status `writable` bytes.
  bool prepare(std::uint32_t type, std::uint64_t sector, std::uint32_t readable,
               std::uint32_t writable) {
    file_.put(0, virtio_blk_outhdr{type, 0, sector});
    request_.chain().clear();
    request_.chain().readable.add({test::kGuest, readable});
    if (writable != 0) request_.chain().writable.add({test::kGuest + 0x80000, writable});
    return request_.prepare(memory_, rules_);
  }
  // Status of a request that needs no step.
  std::uint8_t status() {
    EXPECT_TRUE(request_.done());
    const std::uint32_t written = request_.answer(memory_);
    EXPECT_GE(written, 1U);
    return file_.get<std::uint8_t>(0x80000 + request_.chain().writable.bytes() - 1);
  }

  test::MemoryFile file_{1U << 20};
  GuestMemory memory_;
  BlkRules rules_;
  BlkRequest request_;
};

TEST_F(BlkRequestTest, WithoutRoomForHeaderOrStatusTheQueueIsBroken) {
  EXPECT_FALSE(prepare(VIRTIO_BLK_T_FLUSH, 0, 15, 1));
  EXPECT_FALSE(prepare(VIRTIO_BLK_T_FLUSH, 0, 16, 0));
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_FLUSH, 0, 16, 1));
}

TEST_F(BlkRequestTest, WhatIsOffTheVolumeOrOffItsBlocksIsRefused) {
  struct Case {
    std::uint64_t sector;
    std::uint32_t bytes;
    bool good;
  };
  const Case cases[] = {
      {0, 1024, true},     {998, 1024, true},         {999, 1024, false},
      {1000, 1024, false}, {1, 1024, false},          {0, 512, false},
      {998, 2048, false},  {UINT64_MAX, 1024, false}, {UINT64_MAX - 1, 1024, false},
      {0, 1000, false},    {1ULL << 55, 1024, false},
  };
  for (const Case& one : cases) {
    EXPECT_TRUE(prepare(VIRTIO_BLK_T_IN, one.sector, 16, one.bytes + 1));
    EXPECT_EQ(request_.has_step(), one.good) << one.sector << " " << one.bytes;
    EXPECT_TRUE(prepare(VIRTIO_BLK_T_OUT, one.sector, 16 + one.bytes, 1));
    EXPECT_EQ(request_.has_step(), one.good) << one.sector << " " << one.bytes;
    if (!one.good) {
      EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR);
    }
  }
}

TEST_F(BlkRequestTest, AnEmptyTransferIsDoneAtOnce) {
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_IN, 0, 16, 1));
  EXPECT_EQ(status(), VIRTIO_BLK_S_OK);
}

TEST_F(BlkRequestTest, LargeTransfersGoInSteps) {
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_IN, 2, 16, 10 * 1024 + 1));
  std::uint64_t sector = 2;
  for (const std::uint32_t expected : {4096U, 4096U, 2048U}) {
    ASSERT_TRUE(request_.has_step());
    const auto step = request_.step(4096);
    EXPECT_EQ(step.sector, sector);
    EXPECT_EQ(step.offset, (sector - 2) * 512);
    EXPECT_EQ(step.bytes, expected);
    sector += expected / 512;
    request_.started(step);
  }
  EXPECT_FALSE(request_.has_step());
  request_.finished_step(VIRTIO_BLK_S_OK);
  request_.finished_step(VIRTIO_BLK_S_IOERR);
  EXPECT_FALSE(request_.done());
  request_.finished_step(VIRTIO_BLK_S_OK);
  EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR) << "one failed step fails the request";
  request_.restart();
  EXPECT_TRUE(request_.has_step());
  EXPECT_EQ(request_.step(4096).offset, 0U);
}

TEST_F(BlkRequestTest, ErasuresAreJudgedRangeByRange) {
  struct Case {
    std::uint32_t type;
    std::uint64_t sector;
    std::uint32_t sectors;
    std::uint32_t flags;
    int status;  // -1: carried out
  };
  constexpr std::uint32_t kUnmap = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
  const Case cases[] = {
      {VIRTIO_BLK_T_DISCARD, 0, 8, 0, -1},
      {VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, kUnmap, -1},
      {VIRTIO_BLK_T_DISCARD, 0, 8, kUnmap, VIRTIO_BLK_S_UNSUPP},
      {VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 6, VIRTIO_BLK_S_UNSUPP},
      {VIRTIO_BLK_T_DISCARD, 0, 0, 0, VIRTIO_BLK_S_IOERR},
      {VIRTIO_BLK_T_DISCARD, 1, 8, 0, VIRTIO_BLK_S_IOERR},
      {VIRTIO_BLK_T_DISCARD, 0, 130, 0, VIRTIO_BLK_S_IOERR},
      {VIRTIO_BLK_T_DISCARD, 996, 8, 0, VIRTIO_BLK_S_IOERR},
      {VIRTIO_BLK_T_DISCARD, UINT64_MAX - 1, 8, 0, VIRTIO_BLK_S_IOERR},
      {VIRTIO_BLK_T_DISCARD, 0, UINT32_MAX, 0, VIRTIO_BLK_S_IOERR},
  };
  for (const Case& one : cases) {
    file_.put(16, virtio_blk_discard_write_zeroes{one.sector, one.sectors, one.flags});
    EXPECT_TRUE(prepare(one.type, 0, 32, 1));
    EXPECT_EQ(request_.has_step(), one.status < 0);
    if (one.status >= 0) {
      EXPECT_EQ(status(), one.status);
    }
  }
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_DISCARD, 0, 16, 1));
  EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR) << "no range";
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_DISCARD, 0, 16 + 24, 1));
  EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR) << "a range and a half";
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_DISCARD, 0, 16 + 16 * 17, 1));
  EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR) << "more ranges than offered";
  rules_.info.features = 0;
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_DISCARD, 0, 32, 1));
  EXPECT_EQ(status(), VIRTIO_BLK_S_UNSUPP);
}

TEST_F(BlkRequestTest, AShortBufferGetsAsMuchOfTheIdentityAsFits) {
  std::memcpy(rules_.info.serial, "0123456789abcdefghij", 20);
  EXPECT_TRUE(prepare(VIRTIO_BLK_T_GET_ID, 0, 16, 6));
  EXPECT_EQ(request_.answer(memory_), 6U);
  EXPECT_EQ(std::memcmp(file_.at(0x80000), "01234\0", 6), 0);
}

}  // namespace
}  // namespace cede::vhost_user
