// SPDX-License-Identifier: Apache-2.0
// Network namespaces as clients of the switch: traffic of all kinds, uplinks of both kinds, faults.
#include <fmt/core.h>
#include <signal.h>

#include <future>

#include "tests/e2e/namespaces.h"

namespace cede::test {
namespace {

using NetNamespaces = TwoNamespaces;

// An end of a veth pair here, where a switch may have its uplink, and a host at the other.
class Wire {
 public:
  static constexpr const char* kUplink = "cede-e2e-up";
  static constexpr const char* kFarHost = "10.78.0.9";
  // The same each time: nobody's ARP has to forget another.
  static constexpr const char* kFarMac = "52:54:00:78:00:09";

  explicit Wire(int mtu = 1500) : mtu_(mtu) { plug(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { unplug(); }

  void plug() const {
    run_on_host(fmt::format(
        "ip link add {0} mtu {2} type veth peer name wire address {3} mtu {2} netns {1} && "
        // A card's work, done before the wire: checksums and cutting of segments.
        "ethtool -K {0} tx off >/dev/null && ip link set {0} up",
        kUplink, far_.name(), mtu_, kFarMac));
    far_.run(fmt::format("ip addr add {}/24 dev wire && ip link set wire up", kFarHost));
  }
  static void unplug() { (void)cli::run_tool({"ip", "link", "delete", kUplink}); }
  [[nodiscard]] const Namespace& far() const { return far_; }

 private:
  int mtu_;
  Namespace far_{"cede-e2e-far"};
};

std::string interface_uplink() {
  return fmt::format("uplink = {{ interface = \"{}\" }}", Wire::kUplink);
}

// A file goes through TCP and arrives as it was.
void expect_transfer(const Namespace& from, const Namespace& to, const std::string& address,
                     const std::filesystem::path& scratch) {
  const std::string sent = (scratch / "sent").string();
  const std::string got = (scratch / "got").string();
  run_on_host(fmt::format("head -c 20000000 /dev/urandom >{}", sent));
  // Its input is open for as long as it takes: nc hangs up at its end.
  to.run(fmt::format("(sleep 60 | busybox nc -l -p 5555 >{}) >/dev/null 2>&1 &", got));
  // The listener may not be there yet: a refused connection sends nothing.
  EXPECT_TRUE(eventually([&] {
    return from.try_run(fmt::format("dd if={} bs=64k status=none | timeout 60 busybox nc {} 5555",
                                    sent, address))
                   .exit_status == 0 &&
           cli::run_tool({"cmp", sent, got}).exit_status == 0;
  }));
}

TEST_F(NetNamespaces, ClientsAndHostReachEachOtherAndCountersSayHow) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kBob);
  expect_ping(bob_, kHost);
  expect_ping(alice_, kHost);
  expect_iperf(alice_, bob_, kBob, "-t 1");
  expect_iperf(alice_, bob_, kBob, "-t 1 -R");
  expect_iperf(alice_, bob_, kBob, "-t 1 -u -b 20M");
  expect_iperf(alice_, bob_, kBob, "-t 1 -u -b 20M -R");
  const boost::json::object now = system_.stats();
  for (const auto& device : now.at("devices").as_array()) {
    EXPECT_GT(device.at("stats").at("sent_frames").to_number<std::uint64_t>(), 10U);
    EXPECT_GT(device.at("stats").at("received_frames").to_number<std::uint64_t>(), 10U);
  }
}

TEST_F(NetNamespaces, WritesOf64KiBArriveWithEachOffloadOnAndOff) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  for (const char* receiver : {"on", "off"}) {
    bob_.run(fmt::format("ethtool -K bob0 rx {0} gro {0} >/dev/null 2>&1 || true", receiver));
    for (const char* sender : {"tx on tso on", "tx on tso off", "tx off"}) {
      SCOPED_TRACE(fmt::format("{} to rx {}", sender, receiver));
      alice_.run(fmt::format("ethtool -K alice0 {} >/dev/null", sender));
      expect_transfer(alice_, bob_, kBob, system_.file(""));
    }
  }
}

TEST_F(NetNamespaces, FramesOf9000BytesPass) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap("mtu = 9000"));
  EXPECT_NE(alice_.run("ip link show alice0").find("mtu 9000"), std::string::npos);
  EXPECT_NE(run_on_host(fmt::format("ip link show {}", kTap)).find("mtu 9000"), std::string::npos);
  expect_ping(alice_, std::string("-M do -s 8972 ") + kBob);
  expect_ping(bob_, std::string("-M do -s 8972 ") + kHost);
  expect_iperf(alice_, bob_, kBob, "-t 1");
}

TEST_F(NetNamespaces, SeveralQueuesCarryOneNamespace) {
  ASSERT_NO_FATAL_FAILURE(up("", "  queues = 2", "  queues = 2"));
  expect_ping(alice_, kBob);
  expect_iperf(alice_, bob_, kBob, "-t 1 -P 4");
}

TEST_F(NetNamespaces, AForgedMacAddressIsDroppedAndCounted) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kBob);
  alice_.run("ip link set alice0 address 52:54:00:66:66:66");
  EXPECT_FALSE(pings(alice_, kHost));
  EXPECT_GT(drops("alice", "spoofed"), 0U);
  EXPECT_EQ(drops("bob", "spoofed"), 0U);
  expect_ping(bob_, kHost);
}

TEST_F(NetNamespaces, AnIsolatedClientReachesTheUplinkOnly) {
  ASSERT_NO_FATAL_FAILURE(
      up(fmt::format("uplink = {{ tap = \"{}\", address = \"{}/24\" }}", kTap, kHost),
         "  isolated = true"));
  expect_ping(alice_, kHost);
  expect_ping(bob_, kHost);
  // She does not hear bob's address, and it would not help her.
  alice_.run(fmt::format("ip neigh replace {} lladdr {} dev alice0", kBob,
                         std::string_view(system_.session("bob", "eth0").at("mac").as_string())));
  EXPECT_FALSE(pings(alice_, kBob));
  EXPECT_GT(drops("alice", "isolated"), 0U);
}

TEST_F(NetNamespaces, ClientsOfDifferentVlansDoNotMeet) {
  ASSERT_NO_FATAL_FAILURE(up("", "  vlan = 10", "  vlan = 20"));
  EXPECT_FALSE(pings(alice_, kBob));
}

TEST_F(NetNamespaces, ClientsOfOneVlanMeet) {
  ASSERT_NO_FATAL_FAILURE(up("", "  vlan = 10", "  vlan = 10"));
  expect_ping(alice_, kBob);
}

TEST_F(NetNamespaces, TheGuardDropsOtherIpv4Addresses) {
  ASSERT_NO_FATAL_FAILURE(up("", fmt::format("  ipv4 = \"{}\"", kAlice)));
  expect_ping(alice_, kBob);
  alice_.run("ip addr add 10.78.0.66/24 dev alice0");
  EXPECT_FALSE(pings(alice_, std::string("-I 10.78.0.66 ") + kBob));
  EXPECT_GT(drops("alice", "guarded"), 0U);
}

TEST_F(NetNamespaces, OnTheWireEveryChecksumIsRight) {
  const Wire wire;
  ASSERT_NO_FATAL_FAILURE(up(interface_uplink()));
  expect_ping(alice_, Wire::kFarHost);
  const std::string capture = system_.file("capture").string();
  wire.far().run(
      fmt::format("timeout 60 tcpdump -Z root -i wire -w {} -U 'ip and src {}' >/dev/null 2>&1 &",
                  capture, kAlice));
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(capture); }));
  expect_iperf(alice_, wire.far(), Wire::kFarHost, "-t 1 -u -b 20M -l 1400");
  expect_iperf(alice_, wire.far(), Wire::kFarHost, "-t 1 -l 64K");
  run_on_host("sleep 0.3");
  const std::string text = run_on_host("tcpdump -nvv -c 5000 -r " + capture + " 2>/dev/null");
  EXPECT_NE(text.find("[udp sum ok]"), std::string::npos) << text.substr(0, 2000);
  EXPECT_EQ(text.find("bad udp cksum"), std::string::npos) << text.substr(0, 2000);
  EXPECT_NE(text.find("(correct)"), std::string::npos) << text.substr(0, 2000);
  EXPECT_EQ(text.find("incorrect"), std::string::npos) << text.substr(0, 2000);
  expect_iperf(wire.far(), alice_, kAlice, "-t 1");
}

TEST_F(NetNamespaces, AnUplinkThatVanishesAndComesBackDisturbsNoClient) {
  const Wire wire;
  ASSERT_NO_FATAL_FAILURE(up(interface_uplink()));
  expect_ping(alice_, Wire::kFarHost);
  Wire::unplug();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(alice_.try_run(std::string("ping -c 1 -W 2 ") + kBob).exit_status, 0)
        << boost::json::serialize(system_.stats()) << alice_.run("ip neigh; ip -s link show alice0")
        << bob_.run("ip neigh; ip -s link show bob0");
  }
  EXPECT_FALSE(pings(alice_, Wire::kFarHost));
  wire.plug();
  expect_ping(alice_, Wire::kFarHost);
  expect_ping(alice_, kBob);
  system_.expect_whole_again();
}

TEST_F(NetNamespaces, AKilledSwitchLivesAgainAndItsClientsGoOn) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kBob);
  bob_.run("iperf3 -s -D >/dev/null 2>&1");
  for (int i = 0; i < 3; ++i) {
    alice_.run(fmt::format("timeout 20 iperf3 -c {} -t 2 >/dev/null 2>&1 &", kBob));
    run_on_host("sleep 0.5");
    system_.kill_domain("sw0");
    system_.expect_whole_again();
    expect_ping(alice_, kBob);
    expect_ping(bob_, kHost);
  }
}

TEST_F(NetNamespaces, ARestartOfTheSwitchCostsFramesAndNoConnection) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kBob);
  const auto server_is = [this](const char* state) {
    return eventually([&] {
      return !bob_.run(fmt::format("ss -H -t -n state {} sport = :5201", state)).empty();
    });
  };
  for (int life = 2; life <= 4; ++life) {
    // A server of its own for each: the last one may still be busy with its end.
    bob_.run("iperf3 -s -1 -D >/dev/null 2>&1");
    ASSERT_TRUE(server_is("listening"));
    auto transfer = std::async(std::launch::async, [&] {
      return alice_.try_run(fmt::format("timeout 60 iperf3 -c {} -t 2", kBob));
    });
    EXPECT_TRUE(server_is("established"));
    const boost::json::object said = system_.restart("sw0");
    EXPECT_EQ(said.at("drain"), "complete");
    EXPECT_EQ(said.at("sessions"), 2);
    EXPECT_EQ(said.at("lives"), life);
    const cli::ToolResult transferred = transfer.get();
    EXPECT_EQ(transferred.exit_status, 0) << transferred.output;
    expect_ping(bob_, kHost);
  }
}

TEST_F(NetNamespaces, AKilledFrontendLivesAgainAndTheOthersDoNotNotice) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kBob);
  const boost::json::object bob = system_.session("bob", "eth0");
  for (int i = 0; i < 3; ++i) {
    alice_.run(fmt::format("ping -f -c 20000 -w 3 {} >/dev/null 2>&1 &", kBob));
    system_.kill_domain("alice");
    EXPECT_TRUE(pings(bob_, kHost));
    system_.expect_whole_again();
    expect_ping(alice_, kBob);
  }
  EXPECT_EQ(system_.session("bob", "eth0").at("generation"), bob.at("generation"));
}

TEST_F(NetNamespaces, WithTheSupervisorKilledUnderLoadFramesPassOn) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  bob_.run("iperf3 -s -D >/dev/null 2>&1");
  alice_.run(fmt::format("timeout 60 iperf3 -c {} -t 5 >/dev/null 2>&1 &", kBob));
  for (int i = 0; i < 3; ++i) {
    run_on_host("sleep 0.2");
    system_.kill_supervisor();
    expect_ping(alice_, kHost);
  }
  system_.kill_domain("sw0");
  system_.expect_whole_again();
  expect_ping(alice_, kHost);
}

TEST_F(NetNamespaces, WithTheKeeperKilledUnderLoadNoTapIsLeftAndItComesUpAgain) {
  ASSERT_NO_FATAL_FAILURE(up_with_tap());
  expect_ping(alice_, kHost);
  bob_.run("iperf3 -s -D >/dev/null 2>&1");
  alice_.run(fmt::format("timeout 20 iperf3 -c {} -t 5 >/dev/null 2>&1 &", kBob));
  run_on_host("sleep 0.5");
  system_.kill_keeper();
  EXPECT_TRUE(eventually([&] {
    return alice_.run("ip -o link | grep -vc ': lo:' || true") == "0\n" &&
           bob_.run("ip -o link | grep -vc ': lo:' || true") == "0\n";
  }));
  EXPECT_TRUE(
      eventually([&] { return !std::filesystem::exists(std::string("/sys/class/net/") + kTap); }));
  // The TAPs are gone a moment before the supervisor is.
  EXPECT_TRUE(eventually([&] { return system_.try_up().exit_status == 0; }));
  expect_ping(alice_, kHost);
  system_.expect_balanced();
}

}  // namespace
}  // namespace cede::test
