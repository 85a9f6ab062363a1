// SPDX-License-Identifier: Apache-2.0
// kill -9 of the supervisor at all moments: nobody else notices, and its successor goes on.
#include <future>
#include <random>

#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

constexpr int kKills = 6;

class SupervisorDeathTest : public SystemTest {
 protected:
  SupervisorDeathTest() {
    const auto seed = static_cast<unsigned>(::time(nullptr));
    random_.seed(seed);
    RecordProperty("seed", static_cast<int>(seed));
  }

  void random_pause(unsigned most_ms) {
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % (1000 * most_ms)));
  }

  static pid_t supervisor() { return pid_of("root"); }

  void kill_supervisor(pid_t victim) {
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    // A question may have been on its way to the one that is dead.
    EXPECT_TRUE(eventually([] { return cede("ls demo").code == 0; })) << logs();
    remember_processes();
  }
  void expect_whole() {
    EXPECT_TRUE(eventually([] {
      return is_connected("alice") && is_connected("bob") &&
             ledger().at("leaving").as_array().empty();
    })) << logs();
    EXPECT_TRUE(is_balanced());
    EXPECT_EQ(ledger().at("domains").as_array().size(), 4U);
    remember_processes();
  }

  std::minstd_rand random_;
};

TEST_F(SupervisorDeathTest, NobodyNoticesAndLaterDeathsAreSeenTo) {
  up();
  const pid_t first = supervisor();
  const json::object sessions[] = {session("alice"), session("bob")};
  const pid_t pids[] = {pid_of("disk0"), pid_of("alice"), pid_of("bob")};
  for (int i = 0; i < kKills; ++i) kill_supervisor(supervisor());
  EXPECT_NE(supervisor(), first);
  EXPECT_EQ(session("alice"), sessions[0]);
  EXPECT_EQ(session("bob"), sessions[1]);
  EXPECT_EQ(pid_of("disk0"), pids[0]);
  EXPECT_EQ(pid_of("alice"), pids[1]);
  EXPECT_EQ(pid_of("bob"), pids[2]);

  ::kill(pid_of("disk0"), SIGKILL);
  EXPECT_TRUE(eventually([] { return has_lived("disk0", 2); }));
  ::kill(pid_of("bob"), SIGKILL);
  EXPECT_TRUE(eventually([] { return has_lived("bob", 2); }));
  expect_whole();
  EXPECT_EQ(cede("disconnect bob vda").code, 0);
  EXPECT_EQ(cede("connect bob vda").code, 0);
  EXPECT_EQ(cede("top demo --total --json").code, 0);
  down();
}

TEST_F(SupervisorDeathTest, WhileADriverBeginsAnew) {
  up();
  for (int i = 0; i < kKills; ++i) {
    const pid_t victim = supervisor();
    ::kill(pid_of("disk0"), SIGKILL);
    random_pause(250);
    kill_supervisor(victim);
    expect_whole();
  }
  down();
}

TEST_F(SupervisorDeathTest, WhileAFrontendBeginsAnew) {
  up();
  for (int i = 0; i < kKills; ++i) {
    const pid_t victim = supervisor();
    const json::object alice = session("alice");
    ::kill(pid_of("bob"), SIGKILL);
    random_pause(250);
    kill_supervisor(victim);
    expect_whole();
    EXPECT_EQ(session("alice"), alice);
  }
  down();
}

TEST_F(SupervisorDeathTest, WhileADeviceIsConnectedAndDisconnected) {
  up();
  for (int i = 0; i < kKills; ++i) {
    const pid_t victim = supervisor();
    auto asked = std::async(std::launch::async, [] {
      (void)cede("disconnect bob vda");
      (void)cede("connect bob vda");
    });
    random_pause(100);
    kill_supervisor(victim);
    asked.get();
    // Whichever was asked last in vain: asked again, each does what it says.
    EXPECT_EQ(cede("disconnect bob vda").code, 0);
    EXPECT_EQ(session("bob").at("state"), "disconnected");
    EXPECT_EQ(cede("connect bob vda").code, 0);
    expect_whole();
  }
  down();
}

TEST_F(SupervisorDeathTest, TogetherWithTheBroker) {
  up();
  for (int i = 0; i < 3; ++i) {
    const json::object now = ledger();
    ::kill(now.at("broker_pid").to_number<pid_t>(), SIGKILL);
    random_pause(400);
    kill_supervisor(now.at("pid").to_number<pid_t>());
    expect_whole();
  }
  down();
}

TEST_F(SupervisorDeathTest, WhatDiedWithItIsSeenToByItsSuccessor) {
  up();
  const pid_t victim = supervisor();
  const pid_t dying[] = {pid_of("disk0"), pid_of("bob")};
  ::kill(victim, SIGSTOP);  // so that it sees to nothing
  for (const pid_t pid : dying) ::kill(pid, SIGKILL);
  kill_supervisor(victim);
  EXPECT_TRUE(eventually([] { return has_lived("disk0", 2); })) << logs();
  expect_whole();
  down();
}

TEST_F(SupervisorDeathTest, AStaticSystemStaysSealedAndConnected) {
  describe({.system = "static = true"});
  up();
  const json::object alice = session("alice");
  kill_supervisor(supervisor());
  EXPECT_EQ(ledger().at("static"), true);
  EXPECT_EQ(session("alice"), alice);
  EXPECT_EQ(cede("disconnect bob vda").code, 1);
  down();
}

TEST_F(SupervisorDeathTest, WhatWasLoggedStays) {
  up();
  const auto lines = [&] {
    return shell(fmt::format("grep -c . {}", (root_ / "demo/log/disk0.log").string())).text;
  };
  const std::string before = lines();
  kill_supervisor(supervisor());
  EXPECT_EQ(lines(), before);
  ::kill(pid_of("alice"), SIGKILL);  // which the driver has something to say about
  EXPECT_TRUE(eventually([&] { return std::stoi(lines()) > std::stoi(before); }));
  expect_whole();
  down();
}

TEST_F(SupervisorDeathTest, WhatAnAuditHasFoundStays) {
  describe({.bob = "audit = true"});
  up();
  const auto audit = [] { return domain("bob").at("audit").as_array(); };
  EXPECT_TRUE(eventually([&] { return !audit().empty(); })) << logs();
  const json::array before = audit();
  for (int i = 0; i < 2; ++i) kill_supervisor(supervisor());
  EXPECT_EQ(audit(), before);
  ::kill(pid_of("bob"), SIGKILL);  // its next life is audited, too
  EXPECT_TRUE(eventually([&] { return audit().size() > before.size(); })) << logs();
  EXPECT_EQ(audit().front(), before.front());
  expect_whole();
  down();
}

TEST_F(SupervisorDeathTest, WhileTheSystemStarts) {
  auto asked =
      std::async(std::launch::async, [this] { return cede("up " + description_.string()); });
  pid_t starting = 0;
  EXPECT_TRUE(eventually([&] {
    const Outcome found = shell("pgrep -f 'cede-broker.*" + cgroup().filename().string() + "'");
    if (found.code != 0) return false;
    const pid_t broker = std::stoi(found.text);
    // The broker's parent is the keeper, whose first child is the supervisor.
    std::ifstream stat(fmt::format("/proc/{}/stat", broker));
    std::string id, name, state;
    pid_t parent = 0;
    if (!(stat >> id >> name >> state >> parent)) return false;
    return static_cast<bool>(std::ifstream(fmt::format("/proc/{0}/task/{0}/children", parent)) >>
                             starting);
  }));
  ::kill(starting, SIGKILL);
  const Outcome outcome = asked.get();
  // It may have been up a moment before.
  if (outcome.code == 0) return down();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("was killed while it started"), std::string::npos) << outcome.text;
  EXPECT_TRUE(eventually([&] { return !fs::exists(root_ / "demo.lock"); }));
}

TEST_F(SupervisorDeathTest, WhileTheSystemStops) {
  up();
  const pid_t victim = supervisor();
  auto asked = std::async(std::launch::async, [] { return cede("down demo"); });
  random_pause(40);
  ::kill(victim, SIGKILL);
  (void)asked.get();
  EXPECT_TRUE(eventually([&] { return !fs::exists(root_ / "demo.lock"); }));
}

}  // namespace
}  // namespace cede::supervisor
