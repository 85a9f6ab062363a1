// SPDX-License-Identifier: Apache-2.0
// Whole systems of the real programs, started, shown, harmed and stopped by the `cede` command.
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

TEST_F(SystemTest, ComesUpConnectedAndBalancedAndLeavesNothing) {
  up();
  const json::object books = ledger();
  EXPECT_EQ(json::serialize(books.at("totals")),
            R"({"budget":4096,"accounts":2048,"escrow":0,"in_sessions":2048,"sum":4096,)"
            R"("balanced":true})");
  EXPECT_TRUE(is_connected("alice"));
  EXPECT_TRUE(is_connected("bob"));
  EXPECT_TRUE(fs::exists(root_ / "demo/alice/vda.sock"));
  EXPECT_NE(domain("alice").at("uid"), domain("bob").at("uid"));
  EXPECT_NE(cede("ls").text.find("balanced"), std::string::npos);
  EXPECT_NE(cede("qemu-args alice").text.find("vhost-user-blk-pci,chardev=vda"), std::string::npos);
  const Outcome top = cede("top --once --json --interval 0.1");
  EXPECT_NE(top.text.find(R"("session":"bob/vda")"), std::string::npos) << top.text;
  down();
}

TEST_F(SystemTest, ASystemRunsOnceAndItsDiskServesOneSystem) {
  up();
  Outcome again = cede("up " + description_.string());
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.text,
            "cede: system 'demo' runs already; see: cede ls demo; stop it with: cede down demo\n");
  const std::string other = directory_.path() / "other.toml";
  std::ifstream in(description_);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("demo"), 4, "oddo");
  std::ofstream(other) << text;
  again = cede("up " + other);
  EXPECT_EQ(again.code, 2);
  EXPECT_NE(again.text.find("is locked by another process"), std::string::npos) << again.text;
  down();
}

TEST_F(SystemTest, AKilledFrontendLivesAgainAndTheOtherClientDoesNotNotice) {
  up();
  const json::object alice = session("alice");
  for (int life = 2; life <= 3; ++life) {
    ::kill(pid_of("bob"), SIGKILL);
    EXPECT_TRUE(eventually([&] { return has_lived("bob", life) && is_connected("bob"); }))
        << logs();
  }
  EXPECT_EQ(session("alice").at("generation"), alice.at("generation"));
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, AKilledDriverLivesAgainAndItsClientsReconnect) {
  up();
  for (int life = 2; life <= 3; ++life) {
    ::kill(pid_of("disk0"), SIGKILL);
    EXPECT_TRUE(eventually([&] {
      return has_lived("disk0", life) && is_connected("alice") && is_connected("bob");
    })) << logs();
  }
  EXPECT_TRUE(has_lived("alice", 1));
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, WithTheKeeperKilledNothingRunsAndTheNextUpCleansUp) {
  up();
  ::kill(ledger().at("keeper_pid").to_number<pid_t>(), SIGKILL);
  for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
  EXPECT_EQ(cede("ls demo").code, 1);
  up();
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, WithTheKeeperKilledDownCleansUp) {
  up();
  ::kill(ledger().at("keeper_pid").to_number<pid_t>(), SIGKILL);
  for (const pid_t pid : pids_) EXPECT_TRUE(eventually([&] { return !is_alive(pid); })) << pid;
  const Outcome outcome = cede("down");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.text, "'demo' did not run; what a killed supervisor had left is removed\n");
}

TEST_F(SystemTest, AStaticSystemIsSealed) {
  describe({.system = "static = true"});
  up();
  EXPECT_EQ(ledger().at("static"), true);
  const Outcome outcome = cede("disconnect bob vda");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text,
            "cede: the system is static: a device that is disconnected could never come back\n");
  ::kill(pid_of("bob"), SIGKILL);
  EXPECT_TRUE(eventually([&] { return domain("bob").at("state") == "stopped"; }));
  EXPECT_TRUE(eventually([&] { return ledger().at("leaving").as_array().empty(); }));
  EXPECT_TRUE(is_connected("alice"));
  down();
}

TEST_F(SystemTest, AnAuditFromInsideTheClientFindsEveryRevocationRefused) {
  describe({.bob = "audit = true"});
  up();
  EXPECT_TRUE(eventually([&] { return !domain("bob").at("audit").as_array().empty(); })) << logs();
  const json::object bob = domain("bob");
  EXPECT_EQ(bob.at("audit").as_array().front().as_object().at("passed"), true)
      << json::serialize(bob);
  down();
}

TEST_F(SystemTest, ADriverThatCannotStartFailsTheStartWithItsOwnWords) {
  describe(
      {.volume_a = "partition = \"none-such\"", .volume_b = "partition = \"none-such-either\""});
  const Outcome outcome = cede("up " + description_.string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("cede: 'disk0' ended while starting (exit 1): "), std::string::npos)
      << outcome.text;
}

TEST_F(SystemTest, InTheForegroundAnInterruptEndsItInOrder) {
  const fs::path output = directory_.path() / "out";
  const pid_t child = ::fork();
  if (child == 0) {
    FILE* file = std::freopen(output.c_str(), "w", stdout);
    ::execl(CEDE_CLI, CEDE_CLI, "up", "--foreground", description_.c_str(), nullptr);
    ::_exit(file == nullptr ? 1 : 127);
  }
  const auto said = [&] {
    std::ifstream in(output);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  EXPECT_TRUE(eventually([&] { return said().find("up; stop it with") != std::string::npos; }))
      << said() << logs();
  remember_processes();
  ::kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0) << said();
  EXPECT_NE(said().find("4096 of 4096 pages are home"), std::string::npos) << said();
}

}  // namespace
}  // namespace cede::supervisor
