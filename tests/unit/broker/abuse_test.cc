// SPDX-License-Identifier: Apache-2.0
// Domains that say what they must not say: each loses its request or its socket, and nobody else
// notices.
#include "tests/unit/broker/broker_fixture.h"

namespace cede::test {
namespace {

class AbuseTest : public BrokerTest {
 protected:
  // The rest of the system goes on: a session from the first message to the last.
  void expect_others_are_served() {
    close_session(*client_, *driver_,
                  connect_session(*client_, *driver_, grant_, small_geometry(256)));
    EXPECT_EQ(root().total(), kBudget);
  }
};

TEST_P(AbuseTest, ASmuggledDescriptorReachesNobodyAndEndsAtMostItsSender) {
  Domain smuggler = root().create_child(100, "smuggler");
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  const Fd reader(pipe[0]);
  Fd writer(pipe[1]);
  const int fd = writer.get();
  Message message;
  const Status sent =
      send_packet(smuggler.fd(), std::as_bytes(std::span(&message, 1)), std::span(&fd, 1));
  writer.reset();
  // Linux refuses it at the sender since 6.16; before, the broker ends the sender.
  EXPECT_TRUE(sent != Status::Ok || smuggler.closed());
  expect_others_are_served();
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0) << "the broker holds the descriptor";
}

TEST_P(AbuseTest, APacketOfAnotherSizeEndsItsSender) {
  for (const std::size_t size : {sizeof(Message) / 2, sizeof(Message) + 1, std::size_t{1}}) {
    Domain liar = root().create_child(100, "liar");
    const std::vector<std::byte> packet(size);
    ASSERT_EQ(send_packet(liar.fd(), packet), Status::Ok);
    EXPECT_TRUE(liar.closed());
  }
  expect_others_are_served();
  EXPECT_TRUE(
      eventually([this] { return root().account(root()).pages == kBudget - kClientPages; }));
}

TEST_P(AbuseTest, AFloodWithoutReadingIsDroppedAndOthersAreServedMeanwhile) {
  Domain flooder = root().create_child(100, "flooder");
  Message message;
  message.type = MessageType::Connect;
  Status status = Status::Ok;
  int sent = 0;
  const auto flood = [&] {
    while (status == Status::Ok) {
      status = send_packet(flooder.fd(), std::as_bytes(std::span(&message, 1)));
      ++sent;
    }
    if (status == Status::Busy) status = Status::Ok;
  };
  flood();
  expect_others_are_served();
  EXPECT_TRUE(eventually([&] {
    flood();
    return status == Status::Gone;
  })) << "after "
      << sent << " messages";
  expect_others_are_served();
}

TEST_P(AbuseTest, UnknownAndMalformedRequestsAreAnswered) {
  for (const int type : {0, 14, 63, 64, 65, 71, 72, 65535}) {
    SCOPED_TRACE(type);
    EXPECT_EQ(client_->status_of(static_cast<MessageType>(type)), Status::Invalid);
  }
  const Geometry good = small_geometry(64);
  const auto connect = [&](auto change) {
    Geometry geometry = good;
    change(geometry);
    return client_->connect(grant_, geometry).status();
  };
  EXPECT_EQ(connect([](Geometry& it) { it.pages = 0; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.pages = 63; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.pages = 1; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.pages = 1U << 31; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.rings = 0; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.rings = 17; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.slots = 33; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.slots = 0xffffffff; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.slot_bytes = 7; }), Status::Invalid);
  EXPECT_EQ(connect([](Geometry& it) { it.pages = 32768; }), Status::Overdrawn);
  EXPECT_EQ(root().sessions(), 0U);
  expect_others_are_served();
}

TEST_P(AbuseTest, HandlesWorkOnlyForThoseTheyWereIssuedTo) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(64));
  Domain stranger = root().create_child(1000, "stranger");
  EXPECT_EQ(stranger.connect(grant_, small_geometry(64)).status(), Status::NotPermitted);
  for (const MessageType type :
       {MessageType::Mapped, MessageType::Refuse, MessageType::Close, MessageType::Release}) {
    EXPECT_EQ(stranger.status_of(type, session.handle), Status::NotPermitted);
  }
  for (const Handle victim : {client_->handle(), driver_->handle(), root().handle()}) {
    EXPECT_EQ(stranger.status_of(MessageType::DestroyDomain, victim), Status::NotPermitted);
  }
  EXPECT_EQ(stranger.status_of(MessageType::SealSystem), Status::NotPermitted);
  EXPECT_EQ(stranger.status_of(MessageType::InspectDomain), Status::NotPermitted);
  EXPECT_EQ(stranger.status_of(MessageType::InspectSession), Status::NotPermitted);
  for (const Handle nothing : {Handle{99, 1}, Handle{0xffffffff, 0xffffffff}, Handle{}}) {
    EXPECT_EQ(stranger.status_of(MessageType::DestroyDomain, nothing), Status::Stale);
    EXPECT_EQ(stranger.status_of(MessageType::Close, nothing), Status::Stale);
    EXPECT_EQ(stranger.connect(nothing, small_geometry(64)).status(), Status::Stale);
  }
  close_session(*client_, *driver_, std::move(session));
}

TEST_P(AbuseTest, OneSessionADeviceAndNoneBeyondTheAccount) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(16384));
  EXPECT_EQ(client_->connect(grant_, small_geometry(64)).status(), Status::Busy);
  const Handle second = root().grant(*client_, *driver_, 8, "alice/vdb");
  EXPECT_EQ(client_->connect(second, small_geometry(4096)).status(), Status::Overdrawn);
  close_session(*client_, *driver_, std::move(session));
  EXPECT_EQ(client_->connect({grant_.index, grant_.generation + 1}, small_geometry(64)).status(),
            Status::Stale);
}

TEST_P(AbuseTest, AClientsChildrenAreMadeOfItsOwnPagesAndEndWithIt) {
  Domain child = client_->create_child(500, "inner");
  EXPECT_EQ(root().account(*client_).pages, kClientPages - 500);
  Message more;
  more.type = MessageType::CreateDomain;
  more.pages = kClientPages;
  EXPECT_EQ(client_->request(more).message.status, Status::Overdrawn);
  client_.reset();
  EXPECT_TRUE(child.closed());
  EXPECT_TRUE(eventually([this] { return root().account(root()).pages == kBudget; }));
  client_ = std::make_unique<Domain>(root().create_child(kClientPages, "alice"));
}

TEST_P(AbuseTest, ABranchThatMakesDomainsWithoutEndFillsItsQuotaOnly) {
  std::vector<Domain> children;
  Message create;
  create.type = MessageType::CreateDomain;
  Status status = Status::Ok;
  while (status == Status::Ok && children.size() < 10000) {
    Domain::Incoming reply = client_->request(create);
    status = reply.message.status;
    if (status == Status::Ok) children.emplace_back(reply.message.subject, std::move(reply.fds[0]));
  }
  EXPECT_EQ(status, Status::Full);
  const Domain another = root().create_child(10, "another");
  expect_others_are_served();
}

TEST_P(AbuseTest, NamesThatActOnATerminalAreDefused) {
  const Domain evil = root().create_child(10,
                                          "\x1b[2J\n\x07"
                                          "evil\xff");
  for (const LedgerRow& row : root().inspect(MessageType::InspectDomain)) {
    if (row.index != evil.handle().index) continue;
    Message look;
    look.type = MessageType::InspectDomain;
    look.index = row.index;
    EXPECT_EQ(root().request(look).message.name.view(), "?[2J??evil?");
    return;
  }
  FAIL() << "the domain is not in the ledger";
}

TEST_P(AbuseTest, ASealedSystemConnectsNothingAndCreatesNothing) {
  LiveSession session = connect_session(*client_, *driver_, grant_, small_geometry(64));
  const Handle second = root().grant(*client_, *driver_, 8, "alice/vdb");
  ASSERT_EQ(root().status_of(MessageType::SealSystem), Status::Ok);
  EXPECT_EQ(client_->connect(second, small_geometry(64)).status(), Status::Sealed);
  EXPECT_EQ(root().status_of(MessageType::CreateDomain), Status::Sealed);
  EXPECT_EQ(session.client.mapping.data()[0], session.driver.mapping.data()[0]);
  close_session(*client_, *driver_, std::move(session));
}

INSTANTIATE_TEST_SUITE_P(Both, AbuseTest, testing::Values(Proof::Cgroup, Proof::Word), proof_name);

}  // namespace
}  // namespace cede::test
