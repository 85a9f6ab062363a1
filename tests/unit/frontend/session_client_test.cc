// SPDX-License-Identifier: Apache-2.0
// SessionClient over a real capability socket, whose other end the test holds: first as a broker
// does, then as one that says wrong things.
#include "frontend/session_client.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <vector>

#include "tests/support/client_session.h"

namespace cede::frontend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Geometry kGeometry{.pages = 64, .rings = 1, .slot_bytes = 32, .slots = 16};

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) ++count;  // NOLINT(concurrency-mt-unsafe): a DIR of our own
  ::closedir(dir);
  return count;
}

struct Owner : SessionObserver {
  void connected(std::size_t device, Session session) override {
    ASSERT_FALSE(sessions.contains(device));
    sessions.emplace(device, std::move(session));
  }
  void ending(std::size_t device, Status reason) override {
    ASSERT_TRUE(sessions.contains(device));
    endings.emplace_back(device, reason);
  }
  void failed(std::size_t device, Status reason) override { failures.emplace_back(device, reason); }

  std::map<std::size_t, Session> sessions;
  std::vector<std::pair<std::size_t, Status>> endings;
  std::vector<std::pair<std::size_t, Status>> failures;
};

class SessionClientTest : public testing::Test {
 protected:
  void start(const std::vector<SessionClient::DeviceConfig>& devices) {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    broker_ = Fd(pair[0]);
    client_.emplace(Fd(pair[1]), devices, owner_);
  }
  void start(bool keep_region_fd = false) { start({{"vda", kGeometry, keep_region_fd}}); }

  // What the client said since the last time, after it has heard everything.
  std::vector<Message> heard() {
    EXPECT_EQ(client_->service(now_), Status::Ok);
    std::vector<Message> messages;
    Message message;
    while (true) {
      const auto packet =
          receive_packet(broker_.get(), std::as_writable_bytes(std::span(&message, 1)), 0);
      if (!packet || packet->bytes == 0) return messages;
      EXPECT_EQ(packet->bytes, sizeof message);
      EXPECT_FALSE(packet->excess_fds) << "a domain never sends descriptors";
      messages.push_back(message);
    }
  }
  Message heard_one(MessageType type) {
    const auto messages = heard();
    EXPECT_EQ(messages.size(), 1U);
    if (messages.empty()) return {};
    EXPECT_EQ(messages[0].type, type);
    return messages[0];
  }
  void say(const Message& message, std::span<const int> fds = {}) {
    ASSERT_EQ(send_packet(broker_.get(), std::as_bytes(std::span(&message, 1)), fds), Status::Ok);
  }
  void say(MessageType type, Handle subject, Status status = Status::Ok) {
    Message message;
    message.type = type;
    message.subject = subject;
    message.status = status;
    say(message);
  }
  void grant(Handle grant, std::string_view name) {
    Message message;
    message.type = MessageType::Granted;
    message.subject = grant;
    message.name = Name(name);
    say(message);
  }
  void reply(const Message& request, Status status, Handle subject) {
    Message message;
    message.type = MessageType::Reply;
    message.tag = request.tag;
    message.status = status;
    message.subject = subject;
    say(message);
  }
  void offer(Handle session, const test::OfferFds& client, const Geometry& geometry = kGeometry) {
    Message message;
    message.type = MessageType::Offer;
    message.subject = session;
    message.geometry = geometry;
    const int fds[] = {client.region.get(), client.kick.get(), client.call.get()};
    say(message, fds);
  }
  void tell_connected(Handle session) {
    Message message;
    message.type = MessageType::Connected;
    message.subject = session;
    message.info.bytes[0] = 42;
    say(message);
  }
  // Drops the broker's copies of the client's ends, as the broker does after its Offer.
  static void close_all(test::OfferFds& fds) {
    fds.region.reset();
    fds.kick.reset();
    fds.call.reset();
  }
  // From Granted to Connected, as it should go.
  void connect(Handle session, std::string_view name = "vda") {
    grant({1, 1}, name);
    reply(heard_one(MessageType::Connect), Status::Ok, session);
    parts_ = test::make_session_parts(kGeometry);
    offer(session, parts_.client);
    close_all(parts_.client);
    EXPECT_EQ(heard_one(MessageType::Mapped).subject, session);
    EXPECT_TRUE(owner_.sessions.empty()) << "not before Connected";
    tell_connected(session);
    EXPECT_TRUE(heard().empty());
    ASSERT_EQ(owner_.sessions.size(), 1U);
  }
  void let_go(std::size_t device = 0) {
    owner_.sessions.erase(device);
    client_->released(device, now_);
  }

  Owner owner_;
  Fd broker_;
  std::optional<SessionClient> client_;
  test::SessionParts parts_;
  SessionClient::TimePoint now_{seconds(1000)};
};

TEST_F(SessionClientTest, AGrantBecomesASessionThatReachesTheDriver) {
  start();
  connect({5, 1});
  const Session& session = owner_.sessions.at(0);
  EXPECT_EQ(session.handle, (Handle{5, 1}));
  EXPECT_EQ(session.geometry, kGeometry);
  EXPECT_EQ(session.info.bytes[0], 42);
  EXPECT_FALSE(session.region_fd) << "not asked for";

  const Mapping driver = *Mapping::map(parts_.driver.region.get(), kGeometry.bytes());
  session.region.data()[5000] = std::byte{7};
  EXPECT_EQ(driver.data()[5000], std::byte{7});
  pollfd kick{parts_.driver.kick.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&kick, 1, 0), 0);
  session.kick.ring();
  EXPECT_EQ(::poll(&kick, 1, 0), 1);
  CallRinger(std::move(parts_.driver.call)).ring();
  pollfd call{session.call.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&call, 1, 0), 1);
}

TEST_F(SessionClientTest, TheRegionsDescriptorIsKeptForAnAudit) {
  start(true);
  connect({5, 1});
  EXPECT_TRUE(owner_.sessions.at(0).region_fd);
}

TEST_F(SessionClientTest, NothingIsLeftOpenAfterTheOwnerLetGo) {
  start(true);
  const std::size_t before = open_descriptors();
  for (std::uint32_t i = 1; i <= 3; ++i) {
    connect({5, i});
    say(MessageType::Closing, {5, i}, Status::Gone);
    EXPECT_TRUE(heard().empty());
    ASSERT_EQ(owner_.endings.size(), i);
    EXPECT_EQ(owner_.endings.back().second, Status::Gone);
    let_go();
    EXPECT_EQ(heard_one(MessageType::Release).subject, (Handle{5, i}));
    say(MessageType::Revoked, {1, 1});
    say(MessageType::Closed, {5, i}, Status::Gone);
    EXPECT_TRUE(heard().empty());
    parts_ = {};
    EXPECT_EQ(open_descriptors(), before);
  }
}

TEST_F(SessionClientTest, TheOwnerMayLetGoFromWithinEnding) {
  struct Hasty : Owner {
    void ending(std::size_t device, Status reason) override {
      Owner::ending(device, reason);
      sessions.erase(device);
      client->released(device, SessionClient::TimePoint(seconds(2000)));
    }
    SessionClient* client = nullptr;
  };
  Hasty hasty;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  broker_ = Fd(pair[0]);
  client_.emplace(Fd(pair[1]), std::vector<SessionClient::DeviceConfig>{{"vda", kGeometry}}, hasty);
  hasty.client = &*client_;
  grant({1, 1}, "vda");
  reply(heard_one(MessageType::Connect), Status::Ok, {5, 1});
  parts_ = test::make_session_parts(kGeometry);
  offer({5, 1}, parts_.client);
  (void)heard();
  tell_connected({5, 1});
  say(MessageType::Closing, {5, 1});
  EXPECT_EQ(heard_one(MessageType::Release).subject, (Handle{5, 1}));
}

TEST_F(SessionClientTest, SeveralDevicesGoTheirOwnWays) {
  Geometry large = kGeometry;
  large.pages = 128;
  start({{"vda", kGeometry}, {"vdb", large}});
  grant({2, 1}, "vdb");
  grant({9, 1}, "vdz");
  grant({1, 1}, "vda");
  const auto connects = heard();
  ASSERT_EQ(connects.size(), 2U);
  EXPECT_EQ(connects[0].subject, (Handle{1, 1}));
  EXPECT_EQ(connects[0].geometry, kGeometry);
  EXPECT_EQ(connects[1].subject, (Handle{2, 1}));
  EXPECT_EQ(connects[1].geometry, large);

  reply(connects[1], Status::Ok, {6, 1});
  reply(connects[0], Status::Busy, {});
  test::SessionParts parts = test::make_session_parts(large);
  offer({6, 1}, parts.client, large);
  EXPECT_EQ(heard_one(MessageType::Mapped).subject, (Handle{6, 1}));
  tell_connected({6, 1});
  (void)heard();
  EXPECT_FALSE(owner_.sessions.contains(0));
  EXPECT_TRUE(owner_.sessions.contains(1));
  EXPECT_EQ(owner_.failures, (std::vector<std::pair<std::size_t, Status>>{{0, Status::Busy}}));

  now_ = *client_->next_deadline();
  EXPECT_EQ(heard_one(MessageType::Connect).subject, (Handle{1, 1}));
  EXPECT_EQ(client_->name(1), "vdb");
}

TEST_F(SessionClientTest, TwoUnnamedDevicesTakeTwoGrants) {
  start({{"", kGeometry}, {"", kGeometry}});
  grant({1, 1}, "vdx");
  grant({2, 1}, "vdy");
  EXPECT_EQ(heard().size(), 2U);
  EXPECT_EQ(client_->name(0), "vdx");
  EXPECT_EQ(client_->name(1), "vdy");
}

TEST_F(SessionClientTest, StopEndsEverySessionAndThenTheClientIsIdle) {
  start();
  connect({5, 1});
  EXPECT_FALSE(client_->idle());
  client_->stop();
  EXPECT_LE(*client_->next_deadline(), now_) << "there is something to send";
  EXPECT_EQ(heard_one(MessageType::Close).subject, (Handle{5, 1}));
  say(MessageType::Closing, {5, 1});
  (void)heard();
  let_go();
  EXPECT_EQ(heard_one(MessageType::Release).subject, (Handle{5, 1}));
  EXPECT_TRUE(client_->idle());
  EXPECT_FALSE(client_->next_deadline());
}

TEST_F(SessionClientTest, ABrokerThatClosesEndsTheDomain) {
  start();
  connect({5, 1});
  broker_.reset();
  EXPECT_EQ(client_->service(now_), Status::Gone);
}

TEST_F(SessionClientTest, AFullSocketIsTriedAgain) {
  start();
  grant({1, 1}, "vda");
  Message filler;
  while (send_packet(client_->fd(), std::as_bytes(std::span(&filler, 1))) == Status::Ok) {
  }
  ASSERT_EQ(client_->service(now_), Status::Ok);
  ASSERT_TRUE(client_->next_deadline());
  now_ = *client_->next_deadline();
  Message message;
  std::size_t fillers = 0;
  while (receive_packet(broker_.get(), std::as_writable_bytes(std::span(&message, 1)), 0)) {
    EXPECT_NE(message.type, MessageType::Connect);
    ++fillers;
  }
  EXPECT_GT(fillers, 0U);
  EXPECT_EQ(heard_one(MessageType::Connect).subject, (Handle{1, 1}));
}

// --- wrong messages ---------------------------------------------------------------------------

class WrongOffer : public SessionClientTest {
 protected:
  void SetUp() override {
    start();
    grant({1, 1}, "vda");
    reply(heard_one(MessageType::Connect), Status::Ok, {5, 1});
    (void)heard();
    parts_ = test::make_session_parts(kGeometry);
    before_ = open_descriptors();
  }
  // The session is given up, and nothing of it is kept.
  void expect_given_up(Status why) {
    EXPECT_EQ(heard_one(MessageType::Close).subject, (Handle{5, 1}));
    EXPECT_EQ(owner_.failures.back().second, why);
    EXPECT_EQ(open_descriptors(), before_);
    say(MessageType::Closing, {5, 1});
    EXPECT_EQ(heard_one(MessageType::Release).subject, (Handle{5, 1}));
    EXPECT_TRUE(owner_.sessions.empty());
  }
  void offer_fds(std::span<const int> fds) {
    Message message;
    message.type = MessageType::Offer;
    message.subject = {5, 1};
    message.geometry = kGeometry;
    say(message, fds);
  }

  std::size_t before_ = 0;
};

TEST_F(WrongOffer, WithoutDescriptors) {
  offer_fds({});
  expect_given_up(Status::Broken);
}

TEST_F(WrongOffer, WithTooManyDescriptors) {
  const int fd = parts_.client.region.get();
  const int fds[] = {fd, fd, fd, fd};
  offer_fds(fds);
  expect_given_up(Status::Broken);
}

TEST_F(WrongOffer, OfAnotherGeometry) {
  Geometry other = kGeometry;
  other.slots = 8;
  offer({5, 1}, parts_.client, other);
  expect_given_up(Status::Broken);
}

TEST_F(WrongOffer, OfARegionOfAnotherSize) {
  ASSERT_EQ(::ftruncate(parts_.client.region.get(), 4096), 0);
  offer({5, 1}, parts_.client);
  expect_given_up(Status::Invalid);
}

TEST_F(WrongOffer, OfSomethingThatCannotBeMapped) {
  const int fds[] = {broker_.get(), broker_.get(), broker_.get()};
  offer_fds(fds);
  expect_given_up(Status::Invalid);
}

TEST_F(WrongOffer, OfASessionNobodyAskedForLeavesNothingOpen) {
  offer({5, 2}, parts_.client);
  offer({77, 1}, parts_.client);
  EXPECT_TRUE(heard().empty());
  EXPECT_EQ(open_descriptors(), before_);
}

TEST_F(SessionClientTest, APacketOfAnotherSizeEndsTheDomainAndDoesNotCrash) {
  start();
  const char small[3] = {};
  ASSERT_EQ(send_packet(broker_.get(), std::as_bytes(std::span(small))), Status::Ok);
  EXPECT_EQ(client_->service(now_), Status::Broken);
}

TEST_F(SessionClientTest, MessagesThatMakeNoSenseAreIgnored) {
  start();
  connect({5, 1});
  for (std::uint16_t type = 0; type < 100; ++type) {
    for (const Handle subject : {Handle{}, Handle{5, 2}, Handle{UINT32_MAX, UINT32_MAX}}) {
      if (type == static_cast<std::uint16_t>(MessageType::Granted)) continue;
      say(static_cast<MessageType>(type), subject, static_cast<Status>(999));
    }
    EXPECT_TRUE(heard().empty());
  }
  EXPECT_TRUE(owner_.endings.empty());
  EXPECT_TRUE(owner_.sessions.contains(0));
}

}  // namespace
}  // namespace cede::frontend
