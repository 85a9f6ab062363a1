// SPDX-License-Identifier: Apache-2.0
// The broker dies. Its successor inherits nothing, and all domains begin anew under it, each client
// as soon as its pages are proven free; or, where that cannot be had, everything is stopped.
#include <fcntl.h>

#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

class BrokerDeathTest : public SystemTest {
 protected:
  static pid_t broker() { return ledger().at("broker_pid").to_number<pid_t>(); }

  // Returns once another broker answers.
  static void expect_successor_of(pid_t dead) {
    EXPECT_TRUE(eventually([dead] {
      const Outcome outcome = cede("ls demo --json");
      if (outcome.code != 0) return false;
      return json::parse(outcome.text).at("broker_pid").to_number<pid_t>() != dead;
    }));
  }

  // What an accomplice of the client would have: the region, opened by way of somebody's mapping.
  static Fd region_of(std::string_view client) {
    const fs::path process = fmt::format("/proc/{}", pid_of(client));
    std::ifstream maps(process / "maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("memfd:cede-region") == std::string::npos) continue;
      const fs::path mapping = process / "map_files" / line.substr(0, line.find(' '));
      return Fd(::open(mapping.c_str(), O_RDONLY | O_CLOEXEC));
    }
    return {};
  }
};

TEST_F(BrokerDeathTest, ItsSuccessorHasEverythingConnectedAgain) {
  up();
  for (int life = 2; life <= 4; ++life) {
    const pid_t old = broker();
    ::kill(old, SIGKILL);
    expect_successor_of(old);
    for (const char* name : {"root", "disk0", "alice", "bob"}) {
      EXPECT_TRUE(eventually([&] { return has_lived(name, life); })) << name << '\n' << logs();
    }
    EXPECT_TRUE(eventually([] { return is_connected("alice") && is_connected("bob"); })) << logs();
    EXPECT_TRUE(is_balanced());
    remember_processes();
  }
  EXPECT_FALSE(fs::exists(cgroup() / "broker-1"));
  down();
}

TEST_F(BrokerDeathTest, ADomainThatDiedWithItLivesOnceUnderItsSuccessor) {
  up();
  const pid_t old = broker();
  ::kill(pid_of("bob"), SIGKILL);
  ::kill(pid_of("disk0"), SIGKILL);
  ::kill(old, SIGKILL);
  expect_successor_of(old);
  EXPECT_TRUE(eventually([] { return is_connected("alice") && is_connected("bob"); })) << logs();
  EXPECT_EQ(ledger().at("domains").as_array().size(), 4U);
  EXPECT_TRUE(is_balanced());
  remember_processes();
  down();
}

TEST_F(BrokerDeathTest, AClientWhosePagesSomebodyHoldsWaitsAlone) {
  up();
  Fd held = region_of("alice");
  ASSERT_TRUE(held);
  const pid_t old = broker();
  ::kill(old, SIGKILL);
  expect_successor_of(old);
  EXPECT_TRUE(eventually([] { return is_connected("bob"); })) << logs();
  EXPECT_EQ(domain("alice").at("state"), "stopped");
  held.reset();
  EXPECT_TRUE(eventually([] { return is_connected("alice"); })) << logs();
  EXPECT_TRUE(is_balanced());
  remember_processes();
  down();
}

TEST_F(BrokerDeathTest, PagesThatSomebodyStillHoldsAreNotCalledHome) {
  up();
  const Fd held = region_of("alice");
  ASSERT_TRUE(held);
  const pid_t old = broker();
  ::kill(old, SIGKILL);
  expect_successor_of(old);
  remember_processes();
  const Outcome outcome = cede("down demo");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("somebody holds pages"), std::string::npos) << outcome.text;
}

TEST_F(BrokerDeathTest, OneThatDoesNotAnswerIsTakenForDead) {
  up();
  const pid_t old = broker();
  ::kill(old, SIGSTOP);
  EXPECT_EQ(cede("ls demo").code, 1);
  expect_successor_of(old);
  EXPECT_TRUE(eventually([] { return is_connected("alice") && is_connected("bob"); })) << logs();
  remember_processes();
  down();
}

TEST_F(BrokerDeathTest, AStaticSystemIsStopped) {
  describe({.system = "static = true"});
  up();
  ::kill(broker(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !fs::exists(root_ / "demo.lock"); }));
}

}  // namespace
}  // namespace cede::supervisor
