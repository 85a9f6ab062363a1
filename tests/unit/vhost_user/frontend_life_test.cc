// SPDX-License-Identifier: Apache-2.0
// What a front-end and its guest see while sessions, drivers, frontends and connections come and
// go, and while any of them misbehaves.
#include <sys/eventfd.h>

#include <cstring>
#include <memory>

#include "tests/unit/vhost_user/client_fixture.h"

namespace cede::test {
namespace {

using namespace vhost_user;
using std::chrono::milliseconds;
using Done = VhostUserClient::Done;

class FrontendLife : public ClientFixture {};

TEST_F(FrontendLife, NobodyCanConnectBeforeTheVolumeIsKnown) {
  start();
  broker_.grant("vda");
  SessionParts parts = broker_.accept_connect();
  EXPECT_THROW((void)VhostUserConnection::connect(socket_path(), milliseconds(200)),
               std::runtime_error);
  backend_ = std::make_unique<EchoBackend>(parts, disk_);
  broker_.complete(parts, disk_info(disk_.size()));
  VhostUserClient client(options());
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
}

TEST_F(FrontendLife, ASecondFrontEndWaitsUntilTheFirstHasGone) {
  serve();
  auto first = std::make_unique<VhostUserClient>(options());
  auto second = VhostUserConnection::connect(socket_path(), kPatience);
  second.send(Request::GetFeatures);
  EXPECT_THROW((void)second.receive(milliseconds(200)), std::runtime_error);
  first.reset();
  EXPECT_NE(second.receive(kPatience).as<std::uint64_t>(), 0U);
}

TEST_F(FrontendLife, StartsAndStopsAgainAndAgainWithoutMemoryMessages) {
  serve(",queues=2");
  VhostUserClient client({.socket_path = socket_path(), .queues = 2});
  for (unsigned round = 0; round < 5; ++round) {
    client.start();
    write_and_verify(client, 4096, round);
    EXPECT_EQ(client.stop()[0], 512U) << "256 writes and 256 reads";
  }
}

TEST_F(FrontendLife, SurvivesTheEnableOfAQueueThatWasNeverConfigured) {
  serve(",queues=2");
  VhostUserClient client(options());
  client.start();
  client.connection().send_value(Request::SetVringEnable, VringState{1, 1});
  write_and_verify(client, 4096, 1);
  client.connection().send_value(Request::SetVringEnable, VringState{1, 0});
  client.connection().send_value(Request::GetVringBase, VringState{1, 0});
  EXPECT_EQ(client.connection().receive().as<VringState>().number, 0U);
}

TEST_F(FrontendLife, ADisabledQueueTakesNothingUntilItIsEnabled) {
  serve();
  VhostUserClient client(options());
  client.start();
  client.connection().send_value(Request::SetVringEnable, VringState{0, 0});
  (void)client.connection().get<std::uint64_t>(Request::GetFeatures);
  ASSERT_TRUE(client.submit(0, {.bytes = 512}));
  client.publish(0);
  EXPECT_FALSE(client.wait(0, milliseconds(100)));
  client.connection().send_value(Request::SetVringEnable, VringState{0, 1});
  EXPECT_TRUE(client.wait(0, kPatience));
}

TEST_F(FrontendLife, ALostSessionIsAPauseForTheGuest) {
  serve();
  VhostUserClient client(options());
  client.start();
  const auto data = pattern(64 * 4096, 21);
  std::memcpy(client.data().data(), data.data(), data.size());
  lose_backend();
  for (std::uint64_t i = 0; i < 64; ++i) {
    ASSERT_TRUE(client.submit(
        0, {.type = VIRTIO_BLK_T_OUT, .sector = i * 8, .buffer = i * 4096, .bytes = 4096}));
  }
  client.publish(0);
  EXPECT_FALSE(client.wait(0, milliseconds(50)));
  broker_.end_session(Status::Gone);
  // Without a session control messages are answered all the same.
  EXPECT_NE(client.connection().get<std::uint64_t>(Request::GetFeatures), 0U);
  EXPECT_FALSE(client.wait(0, milliseconds(50)));
  broker_.grant("vda");
  connect_session();
  std::size_t finished = 0;
  while (finished < 64) {
    Done done[64];
    ASSERT_TRUE(client.wait(0, kPatience));
    const std::size_t count = client.poll(0, done);
    for (const Done& one : std::span(done).first(count)) EXPECT_EQ(one.status, VIRTIO_BLK_S_OK);
    finished += count;
  }
  backend_->stop();
  EXPECT_EQ(std::memcmp(backend_->disk().data(), data.data(), data.size()), 0);
}

TEST_F(FrontendLife, AVolumeThatCameBackSmallerFailsEveryRequest) {
  serve();
  VhostUserClient client(options());
  client.start();
  lose_backend();
  ASSERT_TRUE(client.submit(0, {.bytes = 512}));
  client.publish(0);
  broker_.end_session(Status::Gone);
  broker_.grant("vda");
  disk_.resize(kDiskBytes / 2);
  connect_session();
  ASSERT_TRUE(client.wait(0, kPatience));
  Done done;
  ASSERT_EQ(client.poll(0, std::span(&done, 1)), 1U);
  EXPECT_EQ(done.status, VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_IOERR);
}

TEST_F(FrontendLife, ADriverThatBreaksTheProtocolCostsItsSessionOnly) {
  serve();
  VhostUserClient client(options());
  client.start();
  ASSERT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  lose_backend();
  // More responses than requests.
  const std::uint32_t nonsense = 0x5000;
  std::memcpy(region_.data() + RingShape::kBackLine, &nonsense, sizeof nonsense);
  ASSERT_TRUE(client.submit(0, {.bytes = 512}));
  client.publish(0);
  broker_.reply(broker_.hear(MessageType::Close));
  broker_.end_session(Status::Broken);
  connect_session();
  EXPECT_TRUE(client.wait(0, kPatience));
}

TEST_F(FrontendLife, AStopWaitsForWhatTheDriverHasInFlight) {
  serve();
  VhostUserClient client(options());
  for (int round = 0; round < 20; ++round) {
    client.start();
    for (std::uint64_t i = 0; i < 64; ++i) {
      ASSERT_TRUE(client.submit(0, {.buffer = i * 65536, .bytes = 65536}));
      if (i % 4 == 3) client.publish(0);
    }
    const std::uint16_t taken = client.stop()[0];
    Done done[64];
    EXPECT_EQ(client.poll(0, done), taken) << "what was taken has been answered";
  }
}

TEST_F(FrontendLife, ASilentDriverDoesNotKeepTheFrontEndWaiting) {
  serve(",queues=2");
  auto with_inflight = options();
  with_inflight.queues = 2;
  with_inflight.inflight = true;
  VhostUserClient client(with_inflight);
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  lose_backend();
  for (const std::uint16_t queue : {std::uint16_t{0}, std::uint16_t{1}}) {
    ASSERT_TRUE(client.submit(queue, {.sector = queue * 8U, .bytes = 512}));
    client.publish(queue);
  }
  EXPECT_FALSE(client.wait(0, milliseconds(50)));
  EXPECT_NE(client.connection().get<std::uint64_t>(Request::GetFeatures), 0U);
  // Both queues' stops together wait no longer than one drain time; the bound is not measured
  // here, but a stop that waits for the driver would never come back at all.
  EXPECT_EQ(client.stop()[0], 2U);
  // The requests are in the record: with the next session and the next start they are answered.
  broker_.end_session(Status::Gone);
  client.start(false);
  broker_.grant("vda");
  connect_session();
  EXPECT_TRUE(client.wait(0, kPatience));
  EXPECT_TRUE(client.wait(1, kPatience));
}

TEST_F(FrontendLife, WithoutTheInflightRegionAStoppedQueueKeepsItsUnansweredRequests) {
  serve();
  VhostUserClient client(options());
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  lose_backend();
  ASSERT_TRUE(client.submit(0, {.bytes = 512}));
  client.publish(0);
  EXPECT_FALSE(client.wait(0, milliseconds(50)));
  const std::uint16_t base = client.stop()[0];
  EXPECT_EQ(base, 2U);
  broker_.end_session(Status::Gone);
  client.restart_queue(0, base);
  broker_.grant("vda");
  connect_session();
  EXPECT_TRUE(client.wait(0, kPatience));
}

TEST_F(FrontendLife, ANewLifeExecutesAgainWhatItsPredecessorLeftInFlight) {
  serve();
  auto with_inflight = options();
  with_inflight.inflight = true;
  VhostUserClient client(with_inflight);
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  const auto data = pattern(32 * 4096, 31);
  std::memcpy(client.data().data(), data.data(), data.size());
  lose_backend();
  for (std::uint64_t i = 0; i < 32; ++i) {
    ASSERT_TRUE(client.submit(
        0, {.type = VIRTIO_BLK_T_OUT, .sector = i * 8, .buffer = i * 4096, .bytes = 4096}));
  }
  client.publish(0);
  EXPECT_FALSE(client.wait(0, milliseconds(100)));
  process_.kill();

  broker_ = PlayedBroker();
  serve();
  client.reconnect();
  std::size_t finished = 0;
  while (finished < 32) {
    Done done[32];
    ASSERT_TRUE(client.wait(0, kPatience));
    const std::size_t count = client.poll(0, done);
    for (const Done& one : std::span(done).first(count)) EXPECT_EQ(one.status, VIRTIO_BLK_S_OK);
    finished += count;
  }
  EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  backend_->stop();
  EXPECT_EQ(std::memcmp(backend_->disk().data(), data.data(), data.size()), 0);
}

TEST_F(FrontendLife, ABrokenQueueIsReportedAndTheOtherGoesOn) {
  serve(",queues=2");
  VhostUserClient client({.socket_path = socket_path(), .queues = 2});
  client.start();
  const Fd error = checked(::eventfd(0, EFD_CLOEXEC));
  const int error_fd = error.get();
  client.connection().send_value(Request::SetVringErr, std::uint64_t{0}, std::span(&error_fd, 1));
  // A chain that goes in circles.
  client.descriptors(0)[0] = {0, 0, Descriptor::kNext, 0};
  client.make_available(0, 0);
  pollfd ready{error.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 10000), 1);
  EXPECT_EQ(client.execute({.bytes = 512}, 1), VIRTIO_BLK_S_OK);
  // And a fresh start mends it.
  (void)client.stop();
  client.start();
  EXPECT_EQ(client.execute({.bytes = 512}, 0), VIRTIO_BLK_S_OK);
}

TEST_F(FrontendLife, TruncatedGuestMemoryEndsTheFrontendAndNothingElse) {
  serve();
  VhostUserClient client(options());
  client.start();
  ASSERT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
  ASSERT_EQ(::ftruncate(client.memory_fd(), 0), 0);
  // The test's own mapping is gone as well: the frontend finds out when something makes it look.
  try {
    client.connection().send_value(Request::SetVringEnable, VringState{0, 1});
  } catch (const std::runtime_error&) {
    // It has found out by itself.
  }
  EXPECT_EQ(process_.wait(kPatience), 1);
}

TEST_F(FrontendLife, ADriverThatRingsWithoutEndKeepsNobodyAwake) {
  start();
  broker_.grant("vda");
  SessionParts parts = broker_.accept_connect();
  const CallRinger bell(checked(::dup(parts.driver.call.get())));
  backend_ = std::make_unique<EchoBackend>(parts, disk_);
  broker_.complete(parts, disk_info(disk_.size()));
  VhostUserClient client(options());
  client.start();
  {
    const BellStorm storm(bell);
    EXPECT_LT(busy_in_a_second(process_), std::chrono::milliseconds(50));
    EXPECT_EQ(client.execute({.bytes = 512}), VIRTIO_BLK_S_OK) << "it is late, and no more";
  }
  write_and_verify(client, 4096, 1);
}

TEST_F(FrontendLife, HostileMessagesCostTheConnectionOnly) {
  serve();
  struct Case {
    const char* what;
    std::size_t bytes;
    Request request;
    std::uint32_t flags;
  };
  const Case cases[] = {
      {"a payload that is too long", 64, Request::SetFeatures, 0},
      {"a payload that is too short", 8, Request::SetVringAddr, 0},
      {"a payload where none belongs", 8, Request::GetFeatures, 0},
      {"another protocol version", 0, Request::GetFeatures, 2},
      {"an answer instead of a request", 0, Request::GetFeatures, Header::kReply},
      {"more than any message has", 4096, static_cast<Request>(99), 0},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    auto hostile = VhostUserConnection::connect(socket_path(), kPatience);
    hostile.send(one.request, std::vector<std::byte>(one.bytes), {}, one.flags);
    EXPECT_THROW((void)hostile.receive(), std::runtime_error);
  }
}

}  // namespace
}  // namespace cede::test
