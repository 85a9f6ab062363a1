// SPDX-License-Identifier: Apache-2.0
// kill -9 at random moments under write load: of a frontend, of a client's QEMU, of the driver, of
// the broker, of the supervisor and its keeper; and the driver's planned restart. After each: the
// books balance, nothing leaks, the other client's data verifies, and every write that was
// acknowledged after a flush is on the disk.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <utility>

#include "tests/e2e/two_guests.h"

namespace cede::test {
namespace {

constexpr int kKills = 3;

class FaultTest : public TwoGuests {
 protected:
  // The handles of alice's and bob's sessions: a place in the broker's table, and its generation.
  using Handles = std::set<std::pair<std::int64_t, std::int64_t>>;

  [[nodiscard]] Handles sessions() const {
    Handles handles;
    for (const char* client : {"alice", "bob"}) {
      const boost::json::object session = system_.session(client, "vda");
      handles.emplace(session.at("index").to_number<std::int64_t>(),
                      session.at("generation").to_number<std::int64_t>());
    }
    return handles;
  }
  void expect_new_sessions(const Handles& before) const {
    for (const auto& handle : sessions()) EXPECT_EQ(before.count(handle), 0U);
  }
};

TEST_F(FaultTest, AFrontendIsKilledUnderWriteLoad) {
  write_some(2);
  for (int i = 0; i < kKills; ++i) {
    write_while([&] { system_.kill_domain("alice"); });
    system_.expect_whole_again();
  }
  write_some(1);
  expect_no_guest_saw_an_error();
  expect_everything_on_disk();
}

TEST_F(FaultTest, TheDriverIsKilledUnderWriteLoad) {
  write_some(2);
  for (int i = 0; i < kKills; ++i) {
    const auto before = sessions();
    write_while([&] { system_.kill_domain("disk0"); });
    system_.expect_whole_again();
    expect_new_sessions(before);
  }
  write_some(1);
  expect_no_guest_saw_an_error();
  expect_everything_on_disk();
}

TEST_F(FaultTest, TheDriverIsRestartedUnderWriteLoad) {
  write_some(2);
  for (int life = 2; life < 2 + kKills; ++life) {
    const auto before = sessions();
    boost::json::object said;
    write_while([&] { said = system_.restart("disk0"); });
    EXPECT_EQ(said.at("drain"), "complete");
    EXPECT_EQ(said.at("lives"), life);
    system_.expect_whole_again();
    expect_new_sessions(before);
  }
  write_some(1);
  expect_no_guest_saw_an_error();
  expect_everything_on_disk();
}

TEST_F(FaultTest, TheBrokerIsKilledUnderWriteLoad) {
  write_some(2);
  for (int i = 0; i < kKills; ++i) {
    write_while([&] { system_.kill_broker(); });
    system_.expect_whole_again();
  }
  write_some(1);
  expect_no_guest_saw_an_error();
  expect_everything_on_disk();
}

TEST_F(FaultTest, AClientsQemuIsKilledUnderWriteLoad) {
  write_some(2);
  for (int i = 0; i < kKills; ++i) {
    begin_write(alice());
    begin_write(bob());
    random_pause();
    ASSERT_EQ(::kill(alice().guest->pid(), SIGKILL), 0);
    finish_write(bob());
    alice().guest.reset();
    system_.expect_balanced();
    expect_on_disk(alice(), true);
    // Its volume is free for its next life, which finds everything that it was promised.
    boot(alice());
    mount(alice());
    for (const auto& [file, sum] : alice().acknowledged) {
      run(alice(), "echo '" + sum + "  /mnt/" + file + "' | sha256sum -c");
    }
    system_.expect_whole_again();
  }
  write_some(1);
  expect_everything_on_disk();
}

TEST_F(FaultTest, TheSupervisorIsKilledUnderWriteLoad) {
  write_some(2);
  for (int i = 0; i < kKills; ++i) {
    write_while([&] { system_.kill_supervisor(); });
    system_.expect_whole_again();
  }
  // Its successor sees to the next death.
  begin_write(alice());
  begin_write(bob());
  system_.kill_domain("disk0");
  random_pause();
  system_.kill_supervisor();
  finish_write(alice());
  finish_write(bob());
  system_.expect_whole_again();
  expect_no_guest_saw_an_error();
  expect_everything_on_disk();
}

TEST_F(FaultTest, TheKeeperIsKilledUnderWriteLoad) {
  write_some(2);
  begin_write(alice());
  begin_write(bob());
  random_pause();
  system_.kill_keeper();
  // The system ends with its keeper. The guests are ours, and wait for a back-end in vain.
  for (Client* client : {&alice(), &bob()}) client->guest.reset();
  EXPECT_TRUE(system_.down());  // finds a killed system, and cleans up after it
  for (const Client* client : {&alice(), &bob()}) expect_on_disk(*client, true);

  system_.up();
  boot_both();
  for (Client* client : {&alice(), &bob()}) mount(*client);
  write_some(1);
  expect_everything_on_disk();
}

}  // namespace
}  // namespace cede::test
