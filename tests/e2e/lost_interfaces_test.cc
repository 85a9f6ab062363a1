// SPDX-License-Identifier: Apache-2.0
// Interfaces that somebody deletes come back under running switches and frontends.
#include <fmt/core.h>

#include "tests/e2e/namespaces.h"

namespace cede::test {
namespace {

class LostInterfaces : public TwoNamespaces {
 protected:
  // Of each domain the process, and of each session the generation: who was started anew shows.
  [[nodiscard]] std::string lives() const {
    const boost::json::object ledger = system_.ledger();
    std::string text;
    for (const auto& domain : ledger.at("domains").as_array()) {
      text += boost::json::serialize(domain.at("pid")) + ' ';
    }
    for (const auto& session : ledger.at("sessions").as_array()) {
      text += boost::json::serialize(session.at("generation")) + ' ';
    }
    return text;
  }
  [[nodiscard]] boost::json::object uplink() const {
    return system_.stats().at("uplinks").at(0).as_object();
  }
};

TEST_F(LostInterfaces, AnUplinkTapIsMadeAnewAndNobodyIsStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  const std::string before = lives();
  for (int i = 0; i < 3; ++i) {
    expect_ping(alice_, kHost);
    run_on_host(fmt::format("ip link delete {}", kTap));
    EXPECT_TRUE(pings(alice_, kBob));
    expect_ping(alice_, kHost);
  }
  EXPECT_EQ(lives(), before);
}

TEST_F(LostInterfaces, AStaticSystemHasItsUplinkTapAgainToo) {
  for_all_ = "static = true";
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  const std::string before = lives();
  expect_ping(alice_, kHost);
  run_on_host(fmt::format("ip link delete {}", kTap));
  expect_ping(alice_, kHost);
  EXPECT_EQ(lives(), before);
}

TEST_F(LostInterfaces, AClientsTapIsMadeAnewAndNobodyIsStartedAgain) {
  ASSERT_NO_FATAL_FAILURE(up("", "  queues = 2"));
  const std::string before = lives();
  for (int i = 0; i < 3; ++i) {
    expect_ping(alice_, kBob);
    alice_.run("ip link delete alice0");
    expect_ping(bob_, kAlice);
    EXPECT_NE(alice_.run("ip -d link show alice0").find("numtxqueues 256"), std::string::npos);
  }
  expect_iperf(alice_, bob_, kBob, "-t 1 -P 4");
  EXPECT_EQ(lives(), before);
}

TEST_F(LostInterfaces, TheUplinkHasARowOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kHost);
  boost::json::object row = uplink();
  EXPECT_EQ(row.at("driver").as_string(), "sw0");
  EXPECT_EQ(row.at("uplink").as_string(), kTap);
  EXPECT_EQ(row.at("state").as_string(), "up");
  EXPECT_GT(row.at("stats").at("sent_frames").to_number<std::uint64_t>(), 0U);
  EXPECT_GT(row.at("stats").at("received_bytes").to_number<std::uint64_t>(), 0U);
  run_on_host(fmt::format("ip link set {} down", kTap));
  EXPECT_TRUE(eventually([&] { return uplink().at("state").as_string() == "down"; }));
  run_on_host(fmt::format("ip link set {} up", kTap));
  EXPECT_TRUE(eventually([&] { return uplink().at("state").as_string() == "up"; }));
}

}  // namespace
}  // namespace cede::test
