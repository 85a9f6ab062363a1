// SPDX-License-Identifier: Apache-2.0
// Two drivers, one of them hostile: it takes its session hostage, and is dead within the broker's
// deadline. Its client's pages come home, and its next life, which is honest, finishes what it left
// undone. The other driver's client does not notice.
#include <optional>
#include <string>
#include <thread>

#include "tests/attack/impostor.h"
#include "tests/unit/supervisor/load.h"

namespace cede::supervisor {
namespace {

// Alice's volume is on disk0, bob's on "evil", whose first life is the attacker.
class HostageSystemTest : public SystemTest {
 protected:
  void SetUp() override {
    (void)directory_.file("evil.img", 32 << 20);
    std::ofstream(description_) << R"(name = "demo"
budget = "16M"
[[driver]]
name = "disk0"
kind = "block"
disk = "disk.img"
[[driver.volume]]
name = "a"
offset = "0"
size = "16M"
[[driver]]
name = "evil"
kind = "block"
disk = "evil.img"
[[driver.volume]]
name = "b"
offset = "0"
size = "16M"
[[client]]
name = "alice"
account = "8M"
[[client.device]]
name = "vda"
driver = "disk0"
volume = "a"
region = "4M"
[[client]]
name = "bob"
account = "8M"
[[client.device]]
name = "vda"
driver = "evil"
volume = "b"
region = "4M"
)";
  }

  // Both clients are served, and then "evil" turns.
  void up_with(const char* attack) {
    impostor_.emplace(attack, "cede-driver", "--disk-name evil ", "");
    up();
    alice_before_ = session("alice");
    ASSERT_EQ(alice_before_.at("state"), "connected");
    alice_.emplace(vda("alice"));
    bob_.emplace(vda("bob"));
    ASSERT_TRUE(bob_->moves());
    impostor_->signs().give();
  }

  // Bob's requests are answered no more.
  [[nodiscard]] bool bob_is_stuck() const {
    return eventually([this] {
      const auto before = bob_->done();
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      return bob_->done() == before;
    });
  }

  void expect_freed_while_alice_does_not_notice(int bobs_lives = 1) {
    EXPECT_TRUE(alice_->moves());
    EXPECT_TRUE(eventually([] { return has_lived("evil", 2) && is_connected("bob"); })) << logs();
    EXPECT_TRUE(eventually([] { return ledger().at("leaving").as_array().empty(); })) << logs();
    EXPECT_NE(logs().find("'evil' did not let go in time: killed"), std::string::npos);
    EXPECT_TRUE(is_balanced());
    EXPECT_EQ(domain("bob").at("account"), 1024) << "bob's pages are not all home";
    EXPECT_TRUE(has_lived("bob", bobs_lives));
    EXPECT_EQ(session("alice"), alice_before_);
    EXPECT_TRUE(has_lived("disk0", 1));
    expect_unharmed(*alice_);
    for (const std::string& harm : impostor_->signs().heard().broke) ADD_FAILURE() << harm;
  }

  std::optional<attack::Impostor> impostor_;
  json::object alice_before_;
  std::optional<Load> alice_;
  std::optional<Load> bob_;
};

TEST_F(HostageSystemTest, ADriverThatAnswersIdsNotInFlightIsLeftAndKilled) {
  ASSERT_NO_FATAL_FAILURE(up_with("unknown-ids"));
  EXPECT_TRUE(eventually(
      [this] { return logs().find("its driver broke the protocol") != std::string::npos; }));
  expect_freed_while_alice_does_not_notice();
  expect_unharmed(*bob_);
  down();
}

TEST_F(HostageSystemTest, ADriverThatHoldsOnIsKilledWhenItsSessionIsTaken) {
  ASSERT_NO_FATAL_FAILURE(up_with("silence"));
  ASSERT_TRUE(bob_is_stuck());
  EXPECT_EQ(cede("restart evil").code, 0);
  expect_freed_while_alice_does_not_notice();
  expect_unharmed(*bob_);
  down();
}

// Nobody knows which of the two lies. So its client is ended first, which its VMM sees as a pause.
TEST_F(HostageSystemTest, ADriverThatSaysReleaseAndHoldsOnIsKilledAfterItsClient) {
  ASSERT_NO_FATAL_FAILURE(up_with("keeps-mapping"));
  ASSERT_TRUE(bob_is_stuck());
  const Outcome outcome = cede("disconnect bob vda");
  EXPECT_EQ(outcome.text, "bob/vda is disconnected; its pages are home\n");
  EXPECT_EQ(cede("connect bob vda").code, 0);
  expect_freed_while_alice_does_not_notice(2);
  down();
}

TEST_F(HostageSystemTest, ADriverThatRingsWithoutEndIsKilledWhenItsSessionIsTaken) {
  ASSERT_NO_FATAL_FAILURE(up_with("call-storm"));
  ASSERT_TRUE(bob_is_stuck());
  EXPECT_EQ(cede("restart evil").code, 0);
  expect_freed_while_alice_does_not_notice();
  expect_unharmed(*bob_);
  down();
}

TEST_F(HostageSystemTest, ADriverThatLiesSpoilsItsOwnDiskAndNoOther) {
  ASSERT_NO_FATAL_FAILURE(up_with("lies"));
  EXPECT_TRUE(eventually([this] { return bob_->wrong() > 0; })) << "it is believed, being his disk";
  EXPECT_EQ(cede("restart evil").code, 0);
  expect_freed_while_alice_does_not_notice();
  bob_->stop();
  EXPECT_EQ(bob_->failed(), 0U);
  down();
}

}  // namespace
}  // namespace cede::supervisor
