// SPDX-License-Identifier: Apache-2.0
// Two namespaces joined by the real programs: a broker, a switch, and a frontend for each TAP.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "tests/support/net_stack.h"
#include "tests/support/network_namespace.h"

namespace cede::test {
namespace {

bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 2000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

supervisor::Programs programs() {
  return {CEDE_BROKER_BINARY, {}, CEDE_SWITCH_BINARY, CEDE_FRONTEND_BINARY};
}

struct Host {
  Host(NetStack& stack, std::uint16_t port, unsigned queues, std::uint16_t mtu) {
    std::vector<int> fds;
    std::string list;
    std::vector<Fd> taps = space.open_tap("tap0", queues);
    for (const Fd& tap : taps) {
      fds.push_back(tap.get());
      list += (list.empty() ? "" : "+") + std::to_string(tap.get());
    }
    space.must("ip link set tap0 address " + NetStack::mac(port) + " mtu " + std::to_string(mtu) +
               " up && ip addr add 10.9.7." + std::to_string(port + 1) + "/24 dev tap0");
    frontend = stack.start_frontend(port, "tap", "tap=" + list, fds);
  }

  NetworkNamespace space;
  Process frontend;
};

struct Joined {
  explicit Joined(std::uint16_t mtu = 1500, unsigned queues = 1)
      : stack(programs(), {.mtu = mtu}), a(stack, 0, queues, mtu), b(stack, 1, queues, mtu) {}

  [[nodiscard]] bool reaches() const {
    return eventually([&] { return a.space.command("ping -c 1 -W 1 10.9.7.2").status == 0; });
  }
  // iperf3 from a to b.
  NetworkNamespace::Outcome transfer(const std::string& options) const {
    std::thread server([&] { (void)b.space.command("timeout 60 iperf3 -s -1"); });
    NetworkNamespace::Outcome outcome;
    EXPECT_TRUE(eventually([&] {
      outcome = a.space.command("iperf3 -c 10.9.7.2 " + options);
      return outcome.status == 0;
    })) << outcome.output;
    server.join();
    return outcome;
  }
  // A counter of b's interface.
  [[nodiscard]] std::uint64_t received(const std::string& counter) const {
    const auto text = b.space.command("ip -j -s link show tap0 | sed 's/.*\"rx\":{[^}]*\"" +
                                      counter + "\":\\([0-9]*\\).*/\\1/'");
    return std::stoull(text.output);
  }

  NetStack stack;
  Host a;
  Host b;
};

TEST(TapOverTheSwitch, CarriesPings) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  const auto ping = joined.a.space.command("ping -c 20 -i 0.02 -W 2 10.9.7.2");
  EXPECT_NE(ping.output.find(" 20 received"), std::string::npos) << ping.output;
}

TEST(TapOverTheSwitch, CarriesTcpInSegmentsUncut) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  const std::uint64_t before = joined.received("packets");
  const auto outcome = joined.transfer("-n 256M");
  // 256 MiB are 185 thousand packets of 1448 bytes.
  EXPECT_LT(joined.received("packets") - before, 60'000U) << outcome.output;
}

TEST(TapOverTheSwitch, CarriesTcpBothWaysOverSeveralQueues) {
  Joined joined(1500, 2);
  ASSERT_TRUE(joined.reaches());
  (void)joined.transfer("-n 64M -P 4 --bidir");
}

TEST(TapOverTheSwitch, CarriesUdp) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  const std::uint64_t before = joined.received("packets");
  (void)joined.transfer("-u -b 20M -l 1400 -k 1000");
  EXPECT_GE(joined.received("packets") - before, 990U);
}

TEST(TapOverTheSwitch, CarriesJumboFrames) {
  Joined joined(9000);
  ASSERT_TRUE(joined.reaches());
  const auto ping = joined.a.space.command("ping -M do -s 8972 -c 3 -i 0.1 -W 2 10.9.7.2");
  EXPECT_NE(ping.output.find(" 3 received"), std::string::npos) << ping.output;
  (void)joined.transfer("-n 64M");
}

TEST(TapOverTheSwitch, ComesBackWithAnotherSwitch) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  joined.stack.kill_switch();
  EXPECT_TRUE(eventually([&] {
    return joined.a.space.command("ip link show tap0").output.find("NO-CARRIER") !=
           std::string::npos;
  }));
  joined.stack.restart_switch();
  EXPECT_TRUE(joined.reaches());
}

TEST(TapOverTheSwitch, EndsWithALineAndAnErrorWhenTheTapIsGone) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  joined.a.space.must("ip link del tap0");
  pollfd ended{joined.a.frontend.pidfd(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 20'000), 1);
  EXPECT_EQ(joined.a.frontend.reap(), "exit 1");
  EXPECT_TRUE(joined.b.frontend.running());
}

TEST(TapOverTheSwitch, LeavesEveryPageAtHome) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  EXPECT_EQ(joined.stack.end(), "exit 0");
}

}  // namespace
}  // namespace cede::test
