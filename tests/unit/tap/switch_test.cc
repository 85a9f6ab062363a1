// SPDX-License-Identifier: Apache-2.0
// Two namespaces joined by the real programs: a broker, a switch, and a frontend for each TAP.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "protocols/virtio_net.h"
#include "tests/support/eventually.h"
#include "tests/support/net_stack.h"
#include "tests/support/network_namespace.h"

namespace cede::test {
namespace {

supervisor::Programs programs() {
  return {CEDE_BROKER_BINARY, {}, CEDE_SWITCH_BINARY, CEDE_FRONTEND_BINARY, {}};
}

sockaddr_in address_of(const char* address, std::uint16_t port) {
  sockaddr_in full{};
  full.sin_family = AF_INET;
  full.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &full.sin_addr);
  return full;
}

bool kernel_segments_udp() {
  const NetworkNamespace space;
  const std::vector<Fd> tap = space.open_tap("tap0");
  return ::ioctl(tap[0].get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) == 0;
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

  [[nodiscard]] Fd udp_socket(const char* address, std::uint16_t port) const {
    Fd fd;
    space.run([&] { fd = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    const sockaddr_in own = address_of(address, port);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    return fd;
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

// UDP_SEGMENT (udp(7)): one call, one frame, and many datagrams at the other end.
TEST(TapOverTheSwitch, CarriesUdpInSegmentsUncut) {
  constexpr std::size_t kDatagrams = 40;
  constexpr int kSize = 1400;
  if (!kernel_segments_udp()) GTEST_SKIP() << "needs Linux 6.2";
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  const Fd from = joined.a.udp_socket("10.9.7.1", 0);
  const Fd to = joined.b.udp_socket("10.9.7.2", 4711);
  ASSERT_EQ(::setsockopt(from.get(), SOL_UDP, UDP_SEGMENT, &kSize, sizeof kSize), 0);
  // The last one is shorter.
  const auto datagram = [](std::size_t index) {
    return std::string(index == kDatagrams ? 7 : kSize, static_cast<char>('0' + index));
  };
  std::string all;
  for (std::size_t i = 0; i <= kDatagrams; ++i) all += datagram(i);
  const sockaddr_in there = address_of("10.9.7.2", 4711);
  const std::uint64_t before = joined.received("packets");
  ASSERT_EQ(::sendto(from.get(), all.data(), all.size(), 0,
                     reinterpret_cast<const sockaddr*>(&there), sizeof there),
            static_cast<ssize_t>(all.size()));
  for (std::size_t i = 0; i <= kDatagrams; ++i) {
    pollfd arrived{to.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&arrived, 1, 10'000), 1) << i;
    std::string got(2 * kSize, ' ');
    got.resize(static_cast<std::size_t>(::recv(to.get(), got.data(), got.size(), 0)));
    ASSERT_EQ(got, datagram(i)) << i;
  }
  // One, and what else the kernel may have to say.
  EXPECT_LT(joined.received("packets") - before, kDatagrams / 2);
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

TEST(TapOverTheSwitch, LeavesEveryPageAtHome) {
  Joined joined;
  ASSERT_TRUE(joined.reaches());
  EXPECT_EQ(joined.stack.end(), "exit 0");
}

}  // namespace
}  // namespace cede::test
