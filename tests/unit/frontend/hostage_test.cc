// SPDX-License-Identifier: Apache-2.0
// A driver that takes its sessions hostage, in every way that it has. Each time the pages come home
// within the broker's deadline, and not one before the kernel's proof; the device waits for the
// driver's next life; another driver's session notices nothing. The broker and the frontend library
// are real; the test plays the driver, and the supervisor that kills it.
#include <cstring>
#include <thread>

#include "tests/support/bell_storm.h"
#include "tests/unit/frontend/real_broker.h"

namespace cede::frontend {
namespace {

constexpr std::uint32_t kPagesOfBoth = 2 * kGeometry.pages;

// Serves what it is told to, and holds on to its session.
struct HostileDriver {
  explicit HostileDriver(Domain& root) : domain(root.create_child(0, "hostile")) {}

  void accept() {
    Domain::Incoming offer = domain.await(MessageType::Offer);
    session = offer.message.subject;
    memory = *Mapping::map(offer.fds[0].get(), offer.message.geometry.bytes());
    region = std::move(offer.fds[0]);
    call = CallRinger(std::move(offer.fds[2]));
    format_ring(memory.data());
    ring.emplace(memory.data(), offer.message.geometry.ring_shape());
    Message mapped;
    mapped.type = MessageType::Mapped;
    mapped.subject = session;
    mapped.info = test::to_device_info(test::disk_info(kDiskBytes));
    ASSERT_EQ(domain.request(mapped).message.status, Status::Ok);
  }
  // Answers whatever there is with this status, having done nothing of it.
  void answer_all(std::uint32_t status) {
    block::Request request;
    while (ring->take(request) == Verdict::Ready) ring->put({request.id, status});
    if (ring->publish()) call.ring();
  }
  void answer(std::uint32_t id) {
    ring->put({id, VIRTIO_BLK_S_OK});
    if (ring->publish()) call.ring();
  }
  // Its memory, as the kernel frees it after a kill.
  void drop_memory() {
    ring.reset();
    memory.reset();
    region.reset();
  }

  Domain domain;
  Handle session;
  Fd region;
  Mapping memory;
  CallRinger call{Fd()};
  std::optional<BackRing<block::Request, block::Response>> ring;
};

class Hostage : public RealBroker {
 protected:
  Hostage() : RealBroker({"--drain-deadline-ms", "200"}) {}

  void SetUp() override {
    hostile_ = std::make_unique<HostileDriver>(root());
    ASSERT_NO_FATAL_FAILURE(connect(honest_, vdb_));
    ASSERT_NO_FATAL_FAILURE(connect(*hostile_, vda_));
    ASSERT_EQ(home(), kClientPages - kPagesOfBoth);
    ASSERT_NO_FATAL_FAILURE(expect_other_is_served());
  }
  void TearDown() override {
    if (HasFailure()) return;
    expect_other_is_served();
    EXPECT_FALSE(vdb_.ending.has_value()) << "the other driver's session has ended";
    EXPECT_EQ(vdb_.device->session().handle, honest_.session);
  }

  [[nodiscard]] std::uint32_t home() { return root().account(domain_).pages; }

  // A write and a read by the other driver.
  void expect_other_is_served() {
    const auto extent = vdb_.device->allocate(512);
    ASSERT_TRUE(extent);
    const auto bytes = vdb_.device->bytes(*extent);
    const auto value = static_cast<std::byte>(++rounds_);
    std::ranges::fill(bytes, value);
    ASSERT_EQ(vdb_.device->submit({Kind::Write, 8, *extent, 1}), Status::Ok);
    EXPECT_EQ(complete_one(vdb_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
    std::ranges::fill(bytes, std::byte{0xee});
    ASSERT_EQ(vdb_.device->submit({Kind::Read, 8, *extent, 2}), Status::Ok);
    EXPECT_EQ(complete_one(vdb_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
    EXPECT_EQ(bytes[511], value);
    EXPECT_TRUE(vdb_.device->release(*extent));
  }

  // Writes whose cookies are 0, 1, ..., to sectors of the same numbers.
  void submit_writes(std::uint64_t count) {
    for (std::uint64_t cookie = 0; cookie < count; ++cookie) {
      const auto extent = vda_.device->allocate(512);
      ASSERT_TRUE(extent);
      std::ranges::fill(vda_.device->bytes(*extent), static_cast<std::byte>(cookie + 1));
      ASSERT_EQ(vda_.device->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
    }
    vda_.device->publish();
  }
  // What the program does with a device that broke: the driver is told why.
  void end_broken_session() {
    EXPECT_TRUE(vda_.device->broken());
    client_.end(vda_.index, Status::Broken);
    ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
    EXPECT_EQ(vda_.ending, Status::Broken);
  }

  // The client does not connect again by itself.
  void take_grant_back() {
    ASSERT_EQ(root().status_of(MessageType::RevokeGrant, vda_.grant), Status::Ok);
  }
  // The client's side lets go; the driver does not, until the broker has had enough and asks for
  // its death. While its process holds the pages none of them is reused.
  void expect_killed_in_time_and_nothing_reused_before() {
    let_go(vda_);
    const Handle culprit = hostile_->domain.handle();
    ASSERT_TRUE(service_until([&] { return root().has(MessageType::Kill); }));
    EXPECT_EQ(root().await(MessageType::Kill).message.subject, culprit);
    EXPECT_TRUE(hostile_->domain.closed()) << "it has no say any more";
    EXPECT_EQ(home(), kClientPages - kPagesOfBoth);
    EXPECT_EQ(root().total(), kBudget);
    hostile_->drop_memory();
    expect_its_pages_home();
  }
  void expect_its_pages_home() {
    EXPECT_TRUE(service_until([&] { return root().sessions() == 1; }));
    EXPECT_EQ(home(), kClientPages - kGeometry.pages);
    EXPECT_EQ(root().total(), kBudget);
  }
  // The driver's next life is honest, and carries out what the first one left undone.
  void expect_next_life_replays(const std::vector<std::uint64_t>& unanswered) {
    Driver next(root());
    ASSERT_NO_FATAL_FAILURE(connect(next, vda_));
    for (const std::uint64_t cookie : unanswered) {
      const auto extent = vda_.device->allocate(512);
      ASSERT_TRUE(extent);
      std::ranges::fill(vda_.device->bytes(*extent), static_cast<std::byte>(cookie + 1));
      ASSERT_EQ(vda_.device->submit({Kind::Write, cookie, *extent, cookie}), Status::Ok);
      EXPECT_EQ(complete_one(vda_).status, static_cast<std::uint32_t>(VIRTIO_BLK_S_OK));
    }
    next.backend->stop();
    for (const std::uint64_t sector : unanswered) {
      EXPECT_EQ(next.backend->disk()[sector * 512], static_cast<std::byte>(sector + 1));
    }
    vda_.device.reset();
  }

  Driver honest_{root()};
  std::unique_ptr<HostileDriver> hostile_;
  int rounds_ = 0;
};

TEST_F(Hostage, NeverReleases) {
  submit_writes(4);
  const auto unanswered = vda_.device->unanswered();
  client_.end(vda_.index, Status::Ok);
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  expect_killed_in_time_and_nothing_reused_before();
  EXPECT_EQ(unanswered.size(), 4U);
  expect_next_life_replays(unanswered);
}

TEST_F(Hostage, ReleasesWithoutLettingGo) {
  ASSERT_EQ(hostile_->domain.status_of(MessageType::Release, hostile_->session), Status::Ok);
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  EXPECT_EQ(vda_.ending, Status::Gone);
  take_grant_back();
  let_go(vda_);
  // A word is no proof. Nobody is killed on the strength of it either, as long as the client lives:
  // the broker cannot know which of the two lies.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(home(), kClientPages - kPagesOfBoth);
  hostile_->drop_memory();
  expect_its_pages_home();
  EXPECT_FALSE(root().has(MessageType::Kill));
}

TEST_F(Hostage, ReleasesTwice) {
  const Handle session = hostile_->session;
  hostile_->drop_memory();
  ASSERT_EQ(hostile_->domain.status_of(MessageType::Release, session), Status::Ok);
  EXPECT_EQ(hostile_->domain.status_of(MessageType::Release, session), Status::WrongState);
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  EXPECT_EQ(home(), kClientPages - kPagesOfBoth) << "the client's mapping is there still";
  take_grant_back();
  let_go(vda_);
  expect_its_pages_home();
  EXPECT_EQ(hostile_->domain.status_of(MessageType::Release, session), Status::Stale);
  EXPECT_EQ(home(), kClientPages - kGeometry.pages) << "paid back once";
  // The next session is another one: the old handle does not touch it.
  ASSERT_NO_FATAL_FAILURE(connect(*hostile_, vda_));
  EXPECT_EQ(hostile_->domain.status_of(MessageType::Release, session), Status::Stale);
  EXPECT_EQ(root().sessions(), 2U);
  EXPECT_FALSE(vda_.ending.has_value());
}

TEST_F(Hostage, AnswersIdsThatAreNotInFlight) {
  submit_writes(3);
  const auto unanswered = vda_.device->unanswered();
  hostile_->answer(kGeometry.slots - 1);
  Completion done;
  EXPECT_EQ(vda_.device->poll({&done, 1}), 0U);
  EXPECT_EQ(vda_.device->unanswered(), unanswered);
  end_broken_session();
  expect_killed_in_time_and_nothing_reused_before();
  expect_next_life_replays(unanswered);
}

TEST_F(Hostage, RingsItsDoorbellForEver) {
  const test::BellStorm storm(hostile_->call);
  submit_writes(2);
  const auto unanswered = vda_.device->unanswered();
  vda_.device->clear_wakeup();
  Completion done;
  EXPECT_EQ(vda_.device->poll({&done, 1}), 0U);
  EXPECT_FALSE(vda_.device->broken()) << "a bell is no answer";
  expect_other_is_served();
  client_.end(vda_.index, Status::Ok);
  ASSERT_TRUE(service_until([&] { return vda_.ending.has_value(); }));
  expect_killed_in_time_and_nothing_reused_before();
  expect_next_life_replays(unanswered);
}

TEST_F(Hostage, LiesAboutCompletion) {
  submit_writes(3);
  hostile_->answer_all(VIRTIO_BLK_S_OK);
  Completion done[4];
  EXPECT_EQ(vda_.device->poll(done), 3U) << "a lie in good form: its own disk is the poorer for it";
  EXPECT_FALSE(vda_.device->broken());
  expect_other_is_served();
  // And once more about the same requests.
  hostile_->answer(0);
  EXPECT_EQ(vda_.device->poll(done), 0U);
  end_broken_session();
  expect_killed_in_time_and_nothing_reused_before();
  expect_next_life_replays({});
}

TEST_F(Hostage, AnswersMoreThanWasAsked) {
  submit_writes(1);
  const auto unanswered = vda_.device->unanswered();
  const std::uint32_t far_ahead = 1000;
  std::memcpy(hostile_->memory.data() + RingShape::kBackLine, &far_ahead, sizeof far_ahead);
  Completion done;
  EXPECT_EQ(vda_.device->poll({&done, 1}), 0U);
  end_broken_session();
  expect_killed_in_time_and_nothing_reused_before();
  expect_next_life_replays(unanswered);
}

}  // namespace
}  // namespace cede::frontend
