// SPDX-License-Identifier: Apache-2.0
// `cede connect` and `cede disconnect` on a running system.
#include "tests/unit/supervisor/system_fixture.h"

namespace cede::supervisor {
namespace {

TEST_F(SystemTest, ADeviceGoesAndComesBackWhileTheOtherStays) {
  up();
  const json::object alice = session("alice");
  Outcome outcome = cede("disconnect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(session("bob").at("state"), "disconnected");
  EXPECT_EQ(domain("bob").at("account"), 2048);
  EXPECT_TRUE(is_balanced());
  outcome = cede("connect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_TRUE(is_connected("bob"));
  EXPECT_EQ(domain("bob").at("account"), 1024);
  EXPECT_EQ(session("alice").at("generation"), alice.at("generation"));
  outcome = cede("connect demo bob vdz");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text, "cede: there is no device 'vdz' of 'bob'\n");
  down();
}

TEST_F(SystemTest, ADeviceCanWaitForItsFirstConnect) {
  describe({.bobs_device = "connect = false"});
  up();
  EXPECT_EQ(session("bob").at("state"), "disconnected");
  EXPECT_EQ(cede("connect bob vda").code, 0);
  EXPECT_TRUE(is_connected("bob"));
  down();
}

TEST_F(SystemTest, ADriverThatDoesNotLetGoIsKilledAndThePagesComeHome) {
  up();
  ::kill(pid_of("disk0"), SIGSTOP);
  const Outcome outcome = cede("disconnect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_TRUE(eventually([&] { return has_lived("disk0", 2) && is_connected("alice"); })) << logs();
  EXPECT_TRUE(eventually([&] { return domain("bob").at("account") == 2048; })) << logs();
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(SystemTest, AFrontendThatDoesNotLetGoIsEndedAndThePagesComeHome) {
  up();
  ::kill(pid_of("bob"), SIGSTOP);
  const Outcome outcome = cede("disconnect demo bob vda");
  EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
  EXPECT_TRUE(eventually([&] { return has_lived("bob", 2); })) << logs();
  EXPECT_TRUE(is_connected("alice"));
  EXPECT_TRUE(is_balanced());
  down();
}

// Bob has a second device, vdb on a volume of its own.
class TwoDevicesTest : public SystemTest {
 protected:
  TwoDevicesTest() {
    describe({.volume_b = "offset = \"32M\"\nsize = \"16M\"\n"
                          "[[driver.volume]]\nname = \"c\"\noffset = \"48M\"\nsize = \"8M\"",
              .bobs_device = "[[client.device]]\nname = \"vdb\"\ndriver = \"disk0\"\n"
                             "volume = \"c\"\nregion = \"4M\""});
  }
  static json::object of_bob(std::string_view device) {
    const json::object books = ledger();
    for (const json::value& value : books.at("sessions").as_array()) {
      const json::object& session = value.as_object();
      if (session.at("client") == "bob" &&
          std::string_view(session.at("device").as_string()) == device) {
        return session;
      }
    }
    return {};
  }
};

TEST_F(TwoDevicesTest, OneGoesAndComesBackWhileTheOthersSessionIsNotTouched) {
  up();
  const json::object other = of_bob("vdb");
  const json::object alice = session("alice");
  const pid_t frontend = pid_of("bob");
  ASSERT_EQ(other.at("state"), "connected");
  for (int round = 0; round < 3; ++round) {
    Outcome outcome = cede("disconnect demo bob vda");
    EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
    EXPECT_EQ(of_bob("vda").at("state"), "disconnected");
    EXPECT_EQ(domain("bob").at("account"), 1024);
    EXPECT_EQ(of_bob("vdb"), other);
    outcome = cede("connect demo bob vda");
    EXPECT_EQ(outcome.code, 0) << outcome.text << logs();
    EXPECT_EQ(of_bob("vda").at("state"), "connected");
    EXPECT_EQ(of_bob("vdb"), other);
  }
  EXPECT_EQ(session("alice"), alice);
  EXPECT_EQ(pid_of("bob"), frontend);
  EXPECT_TRUE(has_lived("bob", 1));
  EXPECT_TRUE(is_balanced());
  down();
}

TEST_F(TwoDevicesTest, BothGoAndTheClientLivesOn) {
  up();
  const pid_t frontend = pid_of("bob");
  EXPECT_EQ(cede("disconnect demo bob vda").code, 0);
  EXPECT_EQ(cede("disconnect demo bob vdb").code, 0);
  EXPECT_EQ(cede("disconnect demo bob vdb").code, 0) << "it is disconnected already";
  EXPECT_EQ(domain("bob").at("account"), 2048);
  EXPECT_EQ(pid_of("bob"), frontend);
  EXPECT_EQ(cede("connect demo bob vdb").code, 0);
  EXPECT_EQ(of_bob("vda").at("state"), "disconnected");
  down();
}

}  // namespace
}  // namespace cede::supervisor
