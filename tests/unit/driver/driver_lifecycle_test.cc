// SPDX-License-Identifier: Apache-2.0
// Sessions come and go, and so does the driver.
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/driver/driver_process.h"
#include "tests/unit/driver/requests.h"

namespace cede::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class DriverLifecycle : public testing::Test {
 protected:
  void expect_refused(const SessionParts& parts, std::uint32_t device, Status why) {
    const Handle session = driver_.new_session();
    driver_.offer(session, device, parts);
    EXPECT_EQ(driver_.expect(MessageType::Refuse, session).status, why) << driver_.log();
  }

  Image image_{TEST_IMAGES, 4 * kMiB};
  DriverProcess driver_{
      image_.path(),
      {"device=0,name=a,offset=0,length=2097152", "device=1,name=b,offset=2097152,length=2097152"}};
};

TEST_F(DriverLifecycle, AnUnknownDeviceIsRefused) {
  expect_refused(make_session_parts(kSmall), 2, Status::NotSupported);
  expect_refused(make_session_parts(kSmall), 9999, Status::Invalid);
}

TEST_F(DriverLifecycle, ASecondSessionOnAVolumeIsRefusedUntilTheFirstIsClosed) {
  auto first = driver_.connect(0);
  expect_refused(make_session_parts(kSmall), 0, Status::Busy);
  ASSERT_EQ(first.client->run(flush_request(0)), VIRTIO_BLK_S_OK);
  driver_.close(first.session);
  auto next = driver_.connect(0);
  ASSERT_EQ(next.client->run(flush_request(0)), VIRTIO_BLK_S_OK);
}

TEST_F(DriverLifecycle, MalformedOffersAreRefused) {
  SessionParts wrong = make_session_parts(kSmall);
  wrong.geometry.pages = 128;  // not the region's size
  expect_refused(wrong, 0, Status::Invalid);
  wrong.geometry = kSmall;
  wrong.geometry.slots = 33;
  expect_refused(wrong, 0, Status::Invalid);
  wrong.geometry = kSmall;
  wrong.geometry.slot_bytes = 64;
  expect_refused(wrong, 0, Status::Invalid);
  Message bare;
  bare.type = MessageType::Offer;
  bare.subject = driver_.new_session();
  bare.geometry = kSmall;
  driver_.send(bare);
  EXPECT_EQ(driver_.expect(MessageType::Refuse, bare.subject).status, Status::Invalid);
  EXPECT_EQ(driver_.hang_up(), 0);
}

// A client that asks for what is refused and closes at once: the broker takes no refusal any more,
// and would have the driver killed that does not let go.
TEST_F(DriverLifecycle, AClosingThatCrossesARefusalIsReleased) {
  SessionParts wrong = make_session_parts(kSmall);
  wrong.geometry.slot_bytes = 64;
  const Handle session = driver_.new_session();
  driver_.offer(session, 0, wrong);
  driver_.send(MessageType::Closing, session);
  driver_.expect(MessageType::Refuse, session);
  driver_.expect(MessageType::Release, session);
}

TEST_F(DriverLifecycle, NothingIsTakenBeforeTheSessionIsConnected) {
  SessionParts parts = make_session_parts(kSmall);
  const Handle session = driver_.new_session();
  driver_.offer(session, 0, parts);
  driver_.expect(MessageType::Mapped, session);
  TestClient client(kSmall, std::move(parts.client));
  client.put(read_request(client, 0, 0, 512));
  client.publish();
  client.kick();
  auto other = driver_.connect(1);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(other.client->run(flush_request(0)), VIRTIO_BLK_S_OK);
  EXPECT_EQ(driver_.stats(0).block.reads, 0U);
  driver_.send(MessageType::Connected, session);
  EXPECT_EQ(client.response().status, VIRTIO_BLK_S_OK);
}

TEST_F(DriverLifecycle, ASessionThatNeverConnectedIsForgotten) {
  const SessionParts parts = make_session_parts(kSmall);
  const Handle closing = driver_.new_session();
  driver_.offer(closing, 0, parts);
  driver_.expect(MessageType::Mapped, closing);
  driver_.send(MessageType::Closing, closing, Status::Gone);
  driver_.expect(MessageType::Release, closing);

  const Handle closed = driver_.new_session();
  driver_.offer(closed, 0, parts);
  driver_.expect(MessageType::Mapped, closed);
  driver_.send(MessageType::Closed, closed, Status::Gone);  // no Release is owed any more
  auto next = driver_.connect(0);
  EXPECT_EQ(next.client->run(flush_request(0)), VIRTIO_BLK_S_OK);
}

TEST_F(DriverLifecycle, WhatIsInFlightAtClosingIsAnsweredBeforeTheRelease) {
  auto [session, info, client] = driver_.connect(0);
  std::vector<std::vector<std::byte>> written;
  for (std::uint32_t id = 0; id < 16; ++id) {
    written.push_back(pattern(4096, id));
    std::ranges::copy(written.back(), client->payload(4096ULL * id, 4096).begin());
    client->put(write_request(*client, id, 8 * id, 4096, 4096ULL * id));
  }
  client->publish();
  driver_.send(MessageType::Closing, session);
  driver_.expect(MessageType::Release, session);
  std::uint32_t answered = 0;
  for (block::Response response; client->ring().take(response) == Verdict::Ready; ++answered) {
    EXPECT_EQ(response.status, VIRTIO_BLK_S_OK);
    EXPECT_TRUE(same(image_.read(4096ULL * response.id, 4096), written[response.id]));
  }
  EXPECT_EQ(driver_.stats(0).block.writes, answered);
}

TEST_F(DriverLifecycle, AnEraseThatWaitsForAnotherDoesNotHoldUpTheRelease) {
  for (int life = 0; life < 20; ++life) {
    auto [session, info, client] = driver_.connect(0);
    for (std::uint32_t id = 0; id < 16; ++id) {
      client->put(erase_request(VIRTIO_BLK_T_WRITE_ZEROES, id, 0, 65536));
    }
    client->publish();
    driver_.send(MessageType::Closing, session);
    driver_.expect(MessageType::Release, session);
    driver_.send(MessageType::Closed, session, Status::Ok);
  }
}

TEST_F(DriverLifecycle, AHundredSessionsLeaveNothingBehind) {
  const auto cycle = [this] {
    auto [session, info, client] = driver_.connect(0);
    ASSERT_EQ(client->run(read_request(*client, 0, 0, 4096)), VIRTIO_BLK_S_OK);
    driver_.close(session);
  };
  for (int i = 0; i < 10; ++i) cycle();
  const std::size_t descriptors = driver_.descriptors();
  const std::size_t mappings = driver_.mappings();
  const std::string pinned = driver_.status_field("VmPin");
  ASSERT_GT(descriptors, 0U);
  for (int i = 0; i < 100; ++i) cycle();
  EXPECT_EQ(driver_.descriptors(), descriptors);
  EXPECT_EQ(driver_.mappings(), mappings);
  EXPECT_EQ(driver_.status_field("VmPin"), pinned);
  EXPECT_EQ(driver_.hang_up(), 0);
}

TEST_F(DriverLifecycle, SixtyFourSessionsAtATime) {
  std::vector<std::string> exports;
  for (int i = 0; i < 64; ++i) {
    exports.push_back("device=" + std::to_string(i) + ",name=v" + std::to_string(i) +
                      ",offset=" + std::to_string(i * 65536) + ",length=65536");
  }
  DriverProcess driver(image_.path(), exports);
  std::vector<DriverProcess::Connected> all;
  for (std::uint32_t i = 0; i < 64; ++i) {
    all.push_back(driver.connect(i));
    const auto bytes = pattern(4096, i);
    std::ranges::copy(bytes, all.back().client->payload(0, 4096).begin());
    all.back().client->put(write_request(*all.back().client, 0, 0, 4096));
  }
  for (auto& one : all) one.client->publish();
  for (std::uint32_t i = 0; i < 64; ++i) {
    EXPECT_EQ(all[i].client->response().status, VIRTIO_BLK_S_OK);
    EXPECT_TRUE(same(image_.read(65536ULL * i, 4096), pattern(4096, i)));
  }
  EXPECT_EQ(driver.hang_up(), 0);
}

TEST_F(DriverLifecycle, SigtermClosesSessionsInOrderAndEnds) {
  auto first = driver_.connect(1);
  auto second = driver_.connect(0);
  ASSERT_EQ(::kill(driver_.pid(), SIGTERM), 0);
  driver_.expect(MessageType::Close, first.session);
  driver_.expect(MessageType::Close, second.session);
  driver_.expect(MessageType::Release, first.session);
  driver_.expect(MessageType::Release, second.session);
  EXPECT_EQ(driver_.wait(), 0);
}

TEST_F(DriverLifecycle, WhenTheBrokerIsGoneWhatWasTakenIsFinished) {
  auto [session, info, client] = driver_.connect(0);
  const auto bytes = pattern(65536, 5);
  std::ranges::copy(bytes, client->payload(0, bytes.size()).begin());
  ASSERT_EQ(client->run(write_request(*client, 0, 0, 65536)), VIRTIO_BLK_S_OK);
  client->put(erase_request(VIRTIO_BLK_T_DISCARD, 1, 1024, 65536));
  client->publish();
  EXPECT_EQ(driver_.hang_up(), 0);
  EXPECT_TRUE(same(image_.read(0, 65536), bytes));
}

TEST_F(DriverLifecycle, AnIdleDriverSleeps) {
  auto [session, info, client] = driver_.connect(0);
  ASSERT_EQ(client->run(flush_request(0)), VIRTIO_BLK_S_OK);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::uint64_t before = driver_.cpu_nanoseconds();
  EXPECT_GT(before, 0U);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(driver_.cpu_nanoseconds(), before);
}

}  // namespace
}  // namespace cede::test
