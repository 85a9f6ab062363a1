// SPDX-License-Identifier: Apache-2.0
// `cede restart`, under load from guests' drivers at the frontends' sockets: no request fails, and
// every byte that was written is read back.
#include <signal.h>

#include <iostream>

#include "tests/unit/supervisor/load.h"

namespace cede::supervisor {
namespace {

class RestartTest : public SystemTest {
 protected:
  // What `cede restart --json` says.
  static json::object restart() {
    const Outcome outcome = cede("restart --json demo disk0");
    EXPECT_EQ(outcome.code, 0) << outcome.text;
    return outcome.code == 0 ? json::parse(outcome.text).as_object() : json::object{};
  }
};

TEST_F(RestartTest, UnderLoadNoRequestFailsAndEveryByteIsRight) {
  up();
  Load alice(vda("alice"));
  Load bob(vda("bob"));
  for (int life = 2; life <= 6; ++life) {
    ASSERT_TRUE(alice.moves());
    ASSERT_TRUE(bob.moves());
    const pid_t before = pid_of("disk0");
    const json::object said = restart();
    EXPECT_EQ(said.at("lives"), life);
    EXPECT_EQ(said.at("drain"), "complete");
    EXPECT_EQ(said.at("sessions"), 2);
    EXPECT_NE(said.at("pid").to_number<pid_t>(), before);
    EXPECT_FALSE(is_alive(before));
    EXPECT_TRUE(is_connected("alice"));
    EXPECT_TRUE(is_connected("bob"));
    std::cout << "pause: " << said.at("pause_ms") << " ms\n";
  }
  expect_unharmed(alice);
  expect_unharmed(bob);
  EXPECT_TRUE(has_lived("alice", 1));
  EXPECT_TRUE(is_balanced());
  EXPECT_NE(logs().find("'disk0' ended: exit 0"), std::string::npos) << "not in good order";
  down();
}

TEST_F(RestartTest, TheNextLifeRunsTheProgramThatIsOnTheDiskByThen) {
  const fs::path programs = directory_.path() / "programs";
  fs::create_directory(programs);
  for (const char* program : {CEDE_PROGRAMS}) {
    fs::copy_file(program, programs / fs::path(program).filename());
  }
  ::setenv("CEDE_LIBEXEC", programs.c_str(), 1);
  up();
  ::unsetenv("CEDE_LIBEXEC");
  Load alice(vda("alice"));
  const auto program_of = [](pid_t pid) {
    return fs::read_symlink(fmt::format("/proc/{}/exe", pid)).string();
  };
  const fs::path driver = programs / "cede-driver";
  EXPECT_EQ(program_of(pid_of("disk0")), driver);
  fs::copy_file(driver, programs / "upgrade");
  fs::rename(programs / "upgrade", driver);
  EXPECT_EQ(program_of(pid_of("disk0")), driver.string() + " (deleted)");
  ASSERT_TRUE(alice.moves());
  (void)restart();
  EXPECT_EQ(program_of(pid_of("disk0")), driver);
  expect_unharmed(alice);
  down();
}

TEST_F(RestartTest, ADriverThatDoesNotLetGoInTimeIsKilledAndTheCommandSaysSo) {
  up();
  Load alice(vda("alice"));
  ASSERT_TRUE(alice.moves());
  ::kill(pid_of("disk0"), SIGSTOP);
  const Outcome outcome = cede("restart disk0");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_NE(outcome.text.find("did not let go in time, was killed, and runs again"),
            std::string::npos)
      << outcome.text;
  EXPECT_TRUE(has_lived("disk0", 2));
  expect_unharmed(alice);
  down();
}

TEST_F(RestartTest, ADriverThatDiesMeanwhileIsBackAllTheSame) {
  up();
  Load alice(vda("alice"));
  ASSERT_TRUE(alice.moves());
  const pid_t driver = pid_of("disk0");
  ::kill(driver, SIGSTOP);
  std::thread killer([driver] {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    ::kill(driver, SIGKILL);
  });
  const json::object said = restart();
  killer.join();
  EXPECT_EQ(said.at("drain"), "died");
  EXPECT_EQ(said.at("lives"), 2);
  expect_unharmed(alice);
  down();
}

TEST_F(RestartTest, OnlyOneIsUnderWayAtATime) {
  up();
  ::kill(pid_of("disk0"), SIGSTOP);
  std::thread first([] { (void)restart(); });
  EXPECT_TRUE(eventually([] { return domain("disk0").contains("restart"); }));
  const Outcome second = cede("restart disk0");
  EXPECT_EQ(second.code, 1);
  EXPECT_EQ(second.text, "cede: 'disk0' is being restarted already\n");
  ::kill(pid_of("disk0"), SIGCONT);
  first.join();
  EXPECT_TRUE(has_lived("disk0", 2));
  down();
}

TEST_F(RestartTest, WhatIsNoDriverOrMayNotEndIsRefusedInOneLine) {
  describe({.system = "static = true"});
  up();
  const pid_t driver = pid_of("disk0");
  const Outcome sealed = cede("restart disk0");
  EXPECT_EQ(sealed.code, 1);
  EXPECT_EQ(sealed.text,
            "cede: the system is static: a driver that has ended could never come back\n");
  const Outcome unknown = cede("restart alice");
  EXPECT_EQ(unknown.code, 1);
  EXPECT_EQ(unknown.text, "cede: there is no driver 'alice'\n");
  EXPECT_EQ(cede("restart").code, 2);
  EXPECT_EQ(pid_of("disk0"), driver);
  EXPECT_TRUE(is_connected("alice"));
  down();
}

}  // namespace
}  // namespace cede::supervisor
