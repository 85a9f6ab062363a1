// SPDX-License-Identifier: Apache-2.0
// Two namespaces, each with a TAP, and between them the endpoints and a switch in this process.
#include "frontend/tap/tap_device.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/network_namespace.h"
#include "tests/support/stub_switch.h"

namespace cede::frontend {
namespace {

using test::NetworkNamespace;
using test::StubSwitch;

// A namespace with an address on its TAP, and the endpoint's thread.
struct Host {
  Host(int host_number, unsigned queues = 1, std::uint32_t slots = net::kSlots)
      : number(host_number), device(loop, keep(space.open_tap("tap0", queues)), slots) {
    set_up();
  }
  ~Host() { stop(); }

  void start() {
    thread = std::thread([this] {
      while (!stopping) {
        if (device.progress()) continue;
        device.tick(std::chrono::steady_clock::now());
        if (!device.arm()) loop.wait(std::chrono::milliseconds(20));
      }
    });
  }
  void stop() {
    stopping = true;
    if (thread.joinable()) thread.join();
    stopping = false;
  }
  [[nodiscard]] bool carrier() const {
    return space.command("ip link show tap0").output.find("LOWER_UP") != std::string::npos;
  }

  // As the supervisor does it, which has the same open files.
  void restore() {
    for (const Fd& fd : kept) {
      space.attach_tap(fd.get(), "tap0", static_cast<unsigned>(kept.size()));
      int size = sizeof(net::Header);
      ASSERT_EQ(::ioctl(fd.get(), TUNSETVNETHDRSZ, &size), 0);
    }
    set_up();
  }
  void set_up() const {
    space.must("ip addr add 10.9.8." + std::to_string(number) +
               "/24 dev tap0 && ip link set tap0 up mtu 1500");
  }
  std::vector<Fd> keep(std::vector<Fd> fds) {
    for (const Fd& fd : fds) kept.emplace_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    return fds;
  }

  int number;
  NetworkNamespace space;
  std::vector<Fd> kept;
  EventLoop loop;
  TapDevice device;
  std::atomic<bool> stopping = false;
  std::thread thread;
};

struct TwoHosts {
  explicit TwoHosts(unsigned queues = 1, std::uint32_t slots = net::kSlots)
      : a(1, queues, slots), b(2, queues, slots), between(a.device.geometry()) {
    if (a.device.connected("a", between.connect(0)) != Status::Ok ||
        b.device.connected("b", between.connect(1)) != Status::Ok) {
      throw std::runtime_error("the endpoints do not attach");
    }
    between.start();
    a.start();
    b.start();
  }

  Host a;
  Host b;
  StubSwitch between;
};

TEST(TapDevice, CarriesPings) {
  TwoHosts hosts;
  const auto ping = hosts.a.space.command("ping -c 5 -i 0.05 -W 2 10.9.8.2");
  EXPECT_EQ(ping.status, 0) << ping.output;
  EXPECT_NE(ping.output.find(" 5 received"), std::string::npos) << ping.output;
}

TEST(TapDevice, CarriesPingsOfEverySizeUpToTheMtu) {
  TwoHosts hosts;
  for (const int size : {0, 1, 17, 1000, 1472, 8972}) {
    for (const Host* host : {&hosts.a, &hosts.b}) host->space.must("ip link set tap0 mtu 9000");
    const auto ping = hosts.a.space.command("ping -M do -c 2 -i 0.05 -W 2 -s " +
                                            std::to_string(size) + " 10.9.8.2");
    EXPECT_EQ(ping.status, 0) << ping.output;
  }
}

// iperf3 from `a` to `b`; its output, and an empty one if it never succeeds.
std::string transfer(const TwoHosts& hosts, const std::string& options) {
  std::thread server([&] { (void)hosts.b.space.command("timeout 30 iperf3 -s -1"); });
  std::string output;
  EXPECT_TRUE(eventually([&] {
    const auto client = hosts.a.space.command("iperf3 -c 10.9.8.2 " + options);
    output = client.output;
    return client.status == 0;
  })) << output;
  server.join();
  return output;
}

TEST(TapDevice, PassesTcpSegmentsUncut) {
  TwoHosts hosts;
  const std::string output = transfer(hosts, "-n 256M");
  // 256 MiB in segments of 64 KiB are 4096 of them; slow start and cuts by acknowledgements leave
  // some that are shorter.
  EXPECT_GT(hosts.between.port(0).segments, 2000U) << output;
  EXPECT_LT(hosts.between.port(0).frames, 40'000U) << output;
}

TEST(TapDevice, UsesEveryQueue) {
  TwoHosts hosts(2);
  (void)transfer(hosts, "-n 64M -P 8");
  EXPECT_EQ(hosts.between.port(0).used_pairs, 3U);
}

TEST(TapDevice, HasTheCarrierOfTheLink) {
  TwoHosts hosts;
  EXPECT_TRUE(eventually([&] { return hosts.a.carrier(); }));
  hosts.between.set_link(0, {false, 1500});
  EXPECT_TRUE(eventually([&] { return !hosts.a.carrier(); }));
  EXPECT_TRUE(hosts.b.carrier());
  hosts.between.set_link(0, {true, 1500});
  EXPECT_TRUE(eventually([&] { return hosts.a.carrier(); }));
}

// Each change takes a lock that the whole host shares, and a line of the log.
TEST(TapDevice, FollowsALinkThatFlapsTenTimesASecondAtMost) {
  Host host(1);
  StubSwitch between(host.device.geometry());
  ASSERT_EQ(host.device.connected("a", between.connect(0)), Status::Ok);
  const auto now = std::chrono::steady_clock::now();
  bool carrier = host.carrier();
  ASSERT_TRUE(carrier);
  int changes = 0;
  for (bool up = false; changes < 50; up = !up) {
    auto& control = between.port(0).control;
    net::Control request;
    while (control.take(request) == Verdict::Ready) {
      const bool awaits = request.type == net::Control::Type::AwaitLink;
      control.put({.id = request.id, .value = awaits ? net::LinkState{up, 9000}.value() : 0});
    }
    (void)control.publish();
    (void)host.device.progress();
    host.device.tick(now);
    if (host.carrier() == carrier) break;
    carrier = !carrier;
    ++changes;
  }
  EXPECT_LE(changes, 10);
  EXPECT_GE(changes, 8);
  const auto due = host.device.deadline();
  ASSERT_TRUE(due) << "the last one is not forgotten";
  EXPECT_LE(*due, now + std::chrono::seconds(1));
  host.device.tick(*due);
  EXPECT_NE(host.carrier(), carrier);
  EXPECT_FALSE(host.device.deadline());
}

TEST(TapDevice, HasNoCarrierWithoutASession) {
  Host host(1);
  EXPECT_FALSE(host.carrier());
  StubSwitch between(host.device.geometry());
  ASSERT_EQ(host.device.connected("a", between.connect(0)), Status::Ok);
  EXPECT_TRUE(host.carrier());
  host.device.ending();
  EXPECT_FALSE(host.carrier());
  host.start();
  EXPECT_NE(host.space.command("ping -c 1 -W 1 10.9.8.2").status, 0);
  EXPECT_EQ(host.device.state(), ClientDevice::State::Serving);
}

TEST(TapDevice, GoesOnWithAnotherSession) {
  TwoHosts hosts;
  ASSERT_EQ(hosts.a.space.command("ping -c 1 -W 2 10.9.8.2").status, 0);
  hosts.a.stop();
  hosts.b.stop();
  hosts.between.stop();
  hosts.a.device.ending();
  hosts.b.device.ending();
  StubSwitch next(hosts.a.device.geometry());
  ASSERT_EQ(hosts.a.device.connected("a", next.connect(0)), Status::Ok);
  ASSERT_EQ(hosts.b.device.connected("b", next.connect(1)), Status::Ok);
  next.start();
  hosts.a.start();
  hosts.b.start();
  EXPECT_EQ(hosts.a.space.command("ping -c 2 -i 0.1 -W 2 10.9.8.2").status, 0);
  hosts.a.stop();
  hosts.b.stop();
}

// Nobody takes frames out of the ring: the endpoint fills it, and sleeps.
TEST(TapDevice, SleepsWhenTheSessionIsFull) {
  Host host(1, 1, 64);
  StubSwitch between(host.device.geometry());
  ASSERT_EQ(host.device.connected("a", between.connect(0)), Status::Ok);
  host.space.must("ip neigh add 10.9.8.2 lladdr 02:00:00:00:00:02 dev tap0");
  (void)host.space.command("ping -c 200 -i 0.001 -W 0.1 10.9.8.2");
  for (int i = 0; i < 10 && host.device.progress(); ++i) {
  }
  EXPECT_FALSE(host.device.progress());
  EXPECT_FALSE(host.device.arm());
  between.start();
  EXPECT_TRUE(eventually([&] { return host.device.arm(); }));
  EXPECT_TRUE(host.device.progress());
  between.stop();
}

TEST(TapDevice, GoesOnWithATapThatIsDeletedAndMadeAnew) {
  for (const unsigned queues : {1U, 2U}) {
    TwoHosts hosts(queues);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(hosts.a.space.command("ping -c 1 -W 2 10.9.8.2").status, 0);
      hosts.a.space.must("ip link del tap0");
      // What comes meanwhile is dropped, and not kept for later.
      const auto before = hosts.a.device.dropped();
      hosts.b.space.must("ip neigh replace 10.9.8.1 lladdr 02:00:00:00:00:01 dev tap0");
      EXPECT_NE(hosts.b.space.command("ping -c 3 -i 0.05 -W 0.2 10.9.8.1").status, 0);
      EXPECT_GE(hosts.a.device.dropped() - before, 3U);
      EXPECT_EQ(hosts.a.device.state(), ClientDevice::State::Serving);
      hosts.b.space.must("ip neigh del 10.9.8.1 dev tap0");
      hosts.a.restore();
      EXPECT_TRUE(eventually([&] { return hosts.a.carrier(); }));
      EXPECT_TRUE(
          eventually([&] { return hosts.a.space.command("ping -c 1 -W 1 10.9.8.2").status == 0; }));
    }
    const std::string output = transfer(hosts, "-n 64M");
    EXPECT_GT(hosts.between.port(0).segments, 100U) << "its offloads are set: " << output;
  }
}

TEST(TapDevice, ATapThatIsGoneLetsTheEndpointSleep) {
  Host host(1);
  StubSwitch between(host.device.geometry());
  ASSERT_EQ(host.device.connected("a", between.connect(0)), Status::Ok);
  host.space.must("ip link del tap0");
  while (host.device.progress()) {
  }
  ASSERT_TRUE(host.device.deadline());
  for (int i = 0; i < 3; ++i) {
    const auto due = *host.device.deadline();
    EXPECT_FALSE(host.device.progress());
    EXPECT_FALSE(host.device.arm());
    host.device.tick(due);
    EXPECT_GE(*host.device.deadline() - due, std::chrono::milliseconds(999));
  }
}

TEST(TapDevice, TakesATapThatIsGoneAndWaitsForIt) {
  NetworkNamespace space;
  std::vector<Fd> taken = space.open_tap("tap0");
  const Fd kept(::fcntl(taken[0].get(), F_DUPFD_CLOEXEC, 0));
  space.must("ip link del tap0");
  EventLoop loop;
  TapDevice device(loop, std::move(taken), net::kSlots);
  ASSERT_TRUE(device.deadline());
  EXPECT_FALSE(device.progress());
  space.attach_tap(kept.get(), "tap0", 1);
  device.tick(*device.deadline());
  EXPECT_FALSE(device.deadline());
}

TEST(TapDevice, DropsWhatATapThatIsDownDoesNotTake) {
  TwoHosts hosts;
  ASSERT_EQ(hosts.a.space.command("ping -c 1 -W 2 10.9.8.2").status, 0);
  hosts.b.space.must("ip link set tap0 down");
  EXPECT_NE(hosts.a.space.command("ping -c 3 -i 0.05 -W 1 10.9.8.2").status, 0);
  EXPECT_TRUE(eventually([&] { return hosts.b.device.dropped() > 0; }));
  EXPECT_EQ(hosts.b.device.state(), ClientDevice::State::Serving);
  hosts.b.space.must("ip link set tap0 up");
  EXPECT_EQ(hosts.a.space.command("ping -c 2 -i 0.1 -W 2 10.9.8.2").status, 0);
}

TEST(TapDevice, RefusesADescriptorThatIsNoTap) {
  EventLoop loop;
  std::vector<Fd> fds;
  fds.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::string number = std::to_string(fds[0].get());
  try {
    const TapDevice device(loop, std::move(fds), net::kSlots);
    FAIL() << "took /dev/null for a TAP";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("descriptor " + number + " is no queue of a TAP"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace cede::frontend
