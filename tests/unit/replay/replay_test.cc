// SPDX-License-Identifier: Apache-2.0
// docs/replay.md, tried: a guest at the real cede-frontend, the real broker, and a block driver on
// a disk that delays, reorders, and forgets what was not flushed. Driver and frontend die again and
// again, at any moment, or the driver is restarted as planned. Whatever the guest reads, and
// whatever a power loss would leave, has to fit what it was told.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <iostream>
#include <list>
#include <optional>

#include "tests/support/broker_process.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/replay/driver_life.h"
#include "tests/unit/replay/guest.h"

namespace cede::test {
namespace {

using Defect = FickleMedium::Defect;

constexpr std::size_t kBlocks = 48;
constexpr std::size_t kRequests = 1500;
constexpr std::size_t kBetweenEvents = 120;  // requests, on average
constexpr std::uint32_t kClientPages = 4096;

enum class Granting {
  OnceNoSessionIsLeft,  // as the supervisor does
  AtOnce,               // a defect: the old life's writes may still be on their way
};

struct Events {
  std::size_t crashes = 0;
  std::size_t restarts = 0;
  std::size_t frontends = 0;
};

// The whole path from a guest to the disk, and the supervisor's part in it.
class System {
 public:
  System(unsigned seed, Defect defect, Granting granting)
      : granting_(granting),
        random_(seed),
        medium_(kBlocks, seed + 1, defect),
        broker_({.budget_pages = 4 * kClientPages,
                 .cgroup = cgroup_.path(),
                 .more = {"--log-level", "error"}}) {
    spdlog::set_level(spdlog::level::err);
    begin_driver();
    begin_client();
    guest_.emplace(directory_.path("vda.sock"), kBlocks, seed + 2);
  }

  // Whether all that was seen may be seen.
  bool run(Events& events) {
    guest_->begin(kRequests);
    std::size_t next_event = random_() % kBetweenEvents;
    while (guest_->go_on()) {
      if (random_() % 32 == 0) guest_->judge_power_loss(medium_.after_power_loss());
      if (guest_->answered() >= next_event && driver_ && !restarting_) {
        happen(events);
        next_event = guest_->answered() + 1 + random_() % (2 * kBetweenEvents);
      }
      if (restarting_) go_on_with_restart();
      if (!driver_) revive_driver();
    }
    while (!driver_) revive_driver();
    if (guest_->problem().empty()) guest_->read_everything();
    return guest_->problem().empty();
  }
  [[nodiscard]] const std::string& problem() const { return guest_->problem(); }

 private:
  void happen(Events& events) {
    switch (random_() % 4) {
      case 0:
        ++events.restarts;
        restarting_ = true;
        (void)broker_.root().status_of(MessageType::RevokeGrant, grant_);
        return;
      case 1:
        ++events.frontends;
        return crash_frontend();
      default:
        ++events.crashes;
        driver_->kill();
        return bury_driver();
    }
  }

  void bury_driver() {
    (void)broker_.root().status_of(MessageType::DestroyDomain, driver_domain_);
    ended_drivers_.push_back(std::move(driver_));
    if (ended_drivers_.size() > 4) ended_drivers_.pop_front();
  }

  // Once it has let go of everything, it is asked to end, and does so in good order.
  void go_on_with_restart() {
    const auto sessions = broker_.root().inspect(MessageType::InspectSession);
    const bool drained = std::all_of(sessions.begin(), sessions.end(), [](const LedgerRow& row) {
      return static_cast<SessionState>(row.state) == SessionState::Draining;
    });
    if (driver_ && drained) bury_driver();
    if (!driver_ && ended_drivers_.back()->ended()) restarting_ = false;
  }

  void revive_driver() {
    if (restarting_) return go_on_with_restart();
    if (granting_ == Granting::OnceNoSessionIsLeft && broker_.root().sessions() != 0) return;
    begin_driver();
    grant();
  }

  // Its pages come home once the driver has drained; only then its successor can connect.
  void crash_frontend() {
    frontend_.kill();
    (void)broker_.root().status_of(MessageType::DestroyDomain, client_domain_);
    begin_client();
    guest_->reconnect();
  }

  void begin_driver() {
    Domain domain = broker_.root().create_child(0, "disk");
    driver_domain_ = domain.handle();
    driver_ =
        std::make_unique<DriverLife>(checked(::fcntl(domain.fd(), F_DUPFD_CLOEXEC, 0)), medium_);
  }

  void begin_client() {
    const Domain domain = broker_.root().create_child(kClientPages, "guest");
    client_domain_ = domain.handle();
    frontend_ = Process::start(
        {.arguments = {CEDE_FRONTEND_BINARY, "--capability", std::to_string(domain.fd()),
                       "--no-sandbox", "--log-level", "error", "--device",
                       "name=vda,pages=256,socket=" + directory_.path("vda.sock")},
         .inherited = {domain.fd()}});
    grant();
  }

  void grant() {
    Message message;
    message.type = MessageType::GrantDevice;
    message.subject = client_domain_;
    message.object = driver_domain_;
    message.name = Name("vda");
    grant_ = broker_.root().request(message).message.subject;
  }

  const Granting granting_;
  std::mt19937 random_;
  FickleMedium medium_;
  TestCgroup cgroup_;
  BrokerProcess broker_;
  TemporaryDirectory directory_;
  Handle client_domain_;
  Handle driver_domain_;
  Handle grant_;
  Process frontend_;
  std::list<std::unique_ptr<DriverLife>> ended_drivers_;  // what they asked for may be under way
  std::unique_ptr<DriverLife> driver_;
  bool restarting_ = false;
  std::optional<Guest> guest_;
};

// CEDE_TEST_SEED repeats one; CEDE_TEST_SEEDS is how many there are otherwise.
unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

TEST(Replay, FitsWhatTheGuestWasToldWhateverDiesAndWhenever) {
  const unsigned first = from_environment("CEDE_TEST_SEED", 1);
  const unsigned seeds = from_environment("CEDE_TEST_SEEDS", 20);
  Events events;
  for (unsigned seed = first; seed < first + seeds; ++seed) {
    System system(seed, Defect::None, Granting::OnceNoSessionIsLeft);
    EXPECT_TRUE(system.run(events)) << "seed " << seed << ": " << system.problem();
  }
  std::cout << events.crashes << " crashes and " << events.restarts << " restarts of the driver, "
            << events.frontends << " crashes of the frontend\n";
  EXPECT_GE(events.crashes + events.restarts + events.frontends, seeds) << "too few for a test";
}

// The model can fail: each defect is found, by one seed or another.
struct Flaw {
  const char* name;
  Defect defect;
  Granting granting = Granting::OnceNoSessionIsLeft;
};

class ReplayFinds : public testing::TestWithParam<Flaw> {};

TEST_P(ReplayFinds, TheDefect) {
  constexpr unsigned kSeeds = 100;
  Events events;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    System system(seed, GetParam().defect, GetParam().granting);
    if (system.run(events)) continue;
    std::cout << "seed " << seed << ": " << system.problem() << '\n';
    return;
  }
  FAIL() << "none of " << kSeeds << " seeds finds it";
}

INSTANTIATE_TEST_SUITE_P(
    Of, ReplayFinds,
    testing::Values(Flaw{"AGrantBeforeTheOldLifeHasDrained", Defect::None, Granting::AtOnce},
                    Flaw{"AnAnsweredWriteThatIsRepeated", Defect::RepeatsAnsweredWrite},
                    Flaw{"AFlushThatDoesNothing", Defect::ForgetsFlushes},
                    Flaw{"AnsweredWritesThatDieWithTheDriver", Defect::CacheDiesWithDriver}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace cede::test
