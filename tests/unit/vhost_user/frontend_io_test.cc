// SPDX-License-Identifier: Apache-2.0
// Requests through the real cede-frontend, sandboxed, to a backend that the test plays.
#include <linux/virtio_config.h>

#include <cstring>
#include <memory>

#include "tests/unit/vhost_user/client_fixture.h"

namespace cede::test {
namespace {

using namespace vhost_user;
using Done = VhostUserClient::Done;

class FrontendIo : public ClientFixture {};

TEST_F(FrontendIo, SaysWhatTheVolumeIs) {
  serve(",queues=2");
  VhostUserClient client({.socket_path = socket_path(), .queues = 2});
  EXPECT_EQ(client.config().capacity, kDiskBytes / 512);
  EXPECT_EQ(client.config().blk_size, 512U);
  EXPECT_EQ(client.config().physical_block_exp, 3U);
  EXPECT_EQ(client.config().num_queues, 2U);
  EXPECT_GT(client.config().seg_max, 0U);
  EXPECT_GT(client.config().max_discard_sectors, 0U);
  const std::uint64_t features =
      bit(VIRTIO_BLK_F_MQ) | bit(VIRTIO_BLK_F_FLUSH) | bit(VIRTIO_BLK_F_DISCARD) |
      bit(VIRTIO_BLK_F_WRITE_ZEROES) | bit(VIRTIO_BLK_F_BLK_SIZE) | bit(VIRTIO_BLK_F_TOPOLOGY) |
      bit(VIRTIO_F_VERSION_1) | bit(kFeatureEventIndex) | bit(kFeatureIndirect);
  EXPECT_EQ(client.features() & features, features);
  EXPECT_EQ(client.features() & bit(VIRTIO_BLK_F_RO), 0U);
}

TEST_F(FrontendIo, ReadsBackWhatWasWrittenAtEverySizeAndLayout) {
  serve();
  for (const bool indirect : {true, false}) {
    for (const bool event_index : {true, false}) {
      for (const bool slots : {true, false}) {
        VhostUserClient client({.socket_path = socket_path(),
                                .event_index = event_index,
                                .indirect = indirect,
                                .memory_slots = slots,
                                .segments = 3});
        client.start();
        for (const std::uint32_t bytes : {512U, 4096U, 131072U, 1U << 20}) {
          write_and_verify(client, bytes, bytes + (indirect ? 1U : 0U));
        }
      }
    }
  }
}

TEST_F(FrontendIo, RequestsBeyondThePayloadAndTheRingWaitInTheQueue) {
  // 64 pages of region: 63 of payload at most; 8 slots; requests of 128 KiB and of 512 bytes.
  serve(",pages=64,slots=8");
  VhostUserClient client(options());
  client.start();
  write_and_verify(client, 1U << 20, 1);
  write_and_verify(client, 131072, 2);
  write_and_verify(client, 512, 3);
}

TEST_F(FrontendIo, FlushDiscardZeroesAndIdentityWork) {
  disk_ = pattern(kDiskBytes, 7);
  serve();
  VhostUserClient client(options());
  client.start();
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_FLUSH}), VIRTIO_BLK_S_OK);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_DISCARD, .sector = 8, .bytes = 4096}),
            VIRTIO_BLK_S_OK);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_WRITE_ZEROES, .sector = 32, .bytes = 8192}),
            VIRTIO_BLK_S_OK);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_GET_ID, .bytes = VIRTIO_BLK_ID_BYTES}),
            VIRTIO_BLK_S_OK);
  EXPECT_STREQ(reinterpret_cast<const char*>(client.data().data()), "echo");
  backend_->stop();
  const auto disk = backend_->disk();
  EXPECT_EQ(disk[8 * 512], std::byte{0});
  EXPECT_EQ(disk[8 * 512 + 4095], std::byte{0});
  EXPECT_EQ(disk[32 * 512 + 8191], std::byte{0});
  EXPECT_EQ(std::memcmp(&disk[16 * 512], &disk_[16 * 512], 16 * 512), 0);
}

TEST_F(FrontendIo, RefusesWhatIsNotOnTheVolumeAndServesTheNextRequest) {
  serve();
  VhostUserClient client(options());
  client.start();
  const std::uint64_t end = kDiskBytes / 512;
  EXPECT_EQ(client.execute({.sector = end, .bytes = 512}), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.sector = end - 1, .bytes = 1024}), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.sector = UINT64_MAX, .bytes = 512}), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.sector = 0, .bytes = 100}), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_DISCARD, .sector = end, .bytes = 512}),
            VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.type = 77, .bytes = 512}), VIRTIO_BLK_S_UNSUPP);
  EXPECT_EQ(client.execute({.sector = end - 1, .bytes = 512}), VIRTIO_BLK_S_OK);
}

TEST_F(FrontendIo, ReadOnlyRefusesWrites) {
  start({"--read-only"});
  broker_.grant("vda");
  connect_session();
  VhostUserClient client(options());
  client.start();
  EXPECT_NE(client.features() & bit(VIRTIO_BLK_F_RO), 0U);
  EXPECT_EQ(client.features() & bit(VIRTIO_BLK_F_DISCARD), 0U);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_OUT, .bytes = 512}), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_IN, .bytes = 512}), VIRTIO_BLK_S_OK);
}

TEST_F(FrontendIo, WithoutFlushEveryWriteIsFlushed) {
  serve();
  auto without_flush = options();
  without_flush.without_features = bit(VIRTIO_BLK_F_FLUSH);
  VhostUserClient client(without_flush);
  client.start();
  const std::uint64_t before = backend_->served();
  EXPECT_EQ(client.execute({.type = VIRTIO_BLK_T_OUT, .bytes = 4096}), VIRTIO_BLK_S_OK);
  EXPECT_EQ(backend_->served() - before, 2U) << "a write and its flush";
}

TEST_F(FrontendIo, ServesSeveralQueuesAtOnce) {
  serve(",queues=4,slots=16");
  VhostUserClient client({.socket_path = socket_path(), .queues = 4});
  client.start();
  const auto data = pattern(4 * 65536, 11);
  std::memcpy(client.data().data(), data.data(), data.size());
  for (std::uint16_t queue = 0; queue < 4; ++queue) {
    for (std::uint64_t i = 0; i < 16; ++i) {
      const std::uint64_t offset = queue * 65536U + i * 4096;
      ASSERT_TRUE(client.submit(
          queue,
          {.type = VIRTIO_BLK_T_OUT, .sector = offset / 512, .buffer = offset, .bytes = 4096}));
    }
    client.publish(queue);
  }
  for (std::uint16_t queue = 0; queue < 4; ++queue) {
    while (client.in_flight(queue) > 0) {
      Done done[16];
      if (client.poll(queue, done) == 0) {
        ASSERT_TRUE(client.wait(queue, kPatience));
      }
    }
  }
  backend_->stop();
  EXPECT_EQ(std::memcmp(backend_->disk().data(), data.data(), data.size()), 0);
}

TEST_F(FrontendIo, TwoDevicesOfOneClientDoNotMix) {
  const std::string other_path = directory_.path("vdb.sock");
  start({"--device", "name=vdb,socket=" + other_path});
  broker_.grant("vda", 1);
  connect_session();
  broker_.grant("vdb", 2);
  SessionParts parts = broker_.accept_connect();
  EchoBackend other(parts, pattern(1U << 20, 3));
  broker_.complete(parts, other.info());
  VhostUserClient first(options());
  VhostUserClient second({.socket_path = other_path});
  first.start();
  second.start();
  EXPECT_EQ(second.config().capacity, (1U << 20) / 512);
  write_and_verify(first, 4096, 5);
  EXPECT_EQ(second.execute({.sector = 0, .bytes = 4096}), VIRTIO_BLK_S_OK);
  EXPECT_EQ(std::memcmp(second.data().data(), pattern(1U << 20, 3).data(), 4096), 0);
}

}  // namespace
}  // namespace cede::test
