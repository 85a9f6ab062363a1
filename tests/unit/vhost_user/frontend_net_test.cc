// SPDX-License-Identifier: Apache-2.0
// The real cede-frontend with two ports, a vhost-user-net client on each, a switch in the test.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/echo_backend.h"
#include "tests/support/stub_switch.h"
#include "tests/support/vhost_user_client.h"
#include "tests/support/vhost_user_net_client.h"
#include "tests/unit/vhost_user/frontend_process.h"

namespace cede::test {
namespace {

using namespace vhost_user;
using Bytes = std::vector<std::byte>;

Bytes frame(std::size_t length, unsigned seed) {
  Bytes bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::byte>(i * 7 + seed);
  return bytes;
}

class FrontendNet : public testing::TestWithParam<bool> {
 protected:
  static constexpr std::uint16_t kPairs = 2;

  FrontendNet() { start_frontend(); }

  void start_frontend(const std::vector<std::string>& more = {}) {
    broker_ = PlayedBroker();
    std::vector<std::string> arguments = more;
    for (const char* port : {"eth0", "eth1"}) {
      arguments.emplace_back("--device");
      arguments.push_back("class=net,queues=2,name=" + std::string(port) +
                          ",socket=" + socket(port));
    }
    frontend_ = Process::start(
        {.arguments = frontend_command(broker_, arguments), .inherited = {broker_.child_fd()}});
    broker_.drop_child_fd();
    switch_.emplace(net::port_geometry(kPairs, net::kSlots));
    for (std::uint32_t i = 0; i < 2; ++i) connect_port(i, i, switch_->port(i));
    switch_->start();
  }
  void connect_port(std::uint32_t port, std::uint32_t number, StubSwitch::Port& place) {
    broker_.grant("eth" + std::to_string(port), number + 1);
    EXPECT_EQ(broker_.hear_connect(), net::port_geometry(kPairs, net::kSlots));
    net::Info info;
    info.mac = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(port + 1)}};
    info.mtu = 1500;
    info.link_up = 1;
    info.offloads = net::Offload::kAll;
    broker_.complete(place.parts, info);
  }
  std::string socket(const std::string& port) { return directory_.path(port + ".sock"); }
  std::unique_ptr<VhostUserNetClient> client(const char* port, std::uint16_t pairs = 1) {
    return std::make_unique<VhostUserNetClient>(VhostUserNetClient::Options{
        .socket_path = socket(port), .pairs = pairs, .packed = GetParam()});
  }
  static void expect_traffic(VhostUserNetClient& a, VhostUserNetClient& b, unsigned count = 200) {
    for (unsigned i = 0; i < count; ++i) {
      const Bytes there = frame(60 + i % 1400, i);
      ASSERT_TRUE(a.send(there));
      ASSERT_EQ(b.receive(), there) << i;
      const Bytes back = frame(60 + i % 1000, i + 1);
      ASSERT_TRUE(b.send(back));
      ASSERT_EQ(a.receive(), back) << i;
    }
  }

  TemporaryDirectory directory_;
  PlayedBroker broker_;
  std::optional<StubSwitch> switch_;
  Process frontend_;
};

INSTANTIATE_TEST_SUITE_P(, FrontendNet, testing::Bool(),
                         [](const auto& one) { return one.param ? "Packed" : "Split"; });

TEST_P(FrontendNet, OffersWhatANetDeviceHas) {
  const auto a = client("eth0");
  EXPECT_EQ(a->offered() & bit(VIRTIO_NET_F_CTRL_VQ), 0U) << "the VMM's own";
  for (const int feature :
       {VIRTIO_NET_F_MQ, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM,
        VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_HOST_ECN,
        VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN,
        VIRTIO_NET_F_HOST_USO, VIRTIO_NET_F_GUEST_USO4, VIRTIO_NET_F_GUEST_USO6,
        VIRTIO_NET_F_STATUS, VIRTIO_NET_F_MTU, VIRTIO_NET_F_MAC, VIRTIO_F_VERSION_1,
        VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER}) {
    EXPECT_NE(a->offered() & bit(static_cast<unsigned>(feature)), 0U) << feature;
  }
  EXPECT_EQ(a->offered_protocol() & bit(protocol_feature::kConfig), 0U) << "QEMU warns of it";
  EXPECT_EQ(a->connection().get<std::uint64_t>(Request::GetQueueNum), kPairs) << "pairs";
}

TEST_P(FrontendNet, StatusIsKeptAndAResetStopsTheQueues) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  VhostUserConnection& peer = a->connection();
  EXPECT_EQ(peer.acknowledged(Request::SetStatus, std::uint64_t{0xf}), 0U);
  EXPECT_EQ(peer.get<std::uint64_t>(Request::GetStatus), 0xfU);
  EXPECT_NE(peer.acknowledged(Request::SetStatus, std::uint64_t{0x100}), 0U);
  expect_traffic(*a, *b, 1);
  EXPECT_EQ(peer.acknowledged(Request::SetStatus, std::uint64_t{0}), 0U);
  EXPECT_EQ(peer.get<std::uint64_t>(Request::GetStatus), 0U);
  a->start();
  expect_traffic(*a, *b, 1);
}

TEST_P(FrontendNet, AnMtuThatThePortCannotTakeIsRefused) {
  const auto a = client("eth0");
  EXPECT_EQ(a->connection().acknowledged(Request::SetMtu, std::uint64_t{1500}), 0U);
  EXPECT_NE(a->connection().acknowledged(Request::SetMtu, std::uint64_t{9000}), 0U);
}

TEST_P(FrontendNet, TwoPortsOfOneClientTalk) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  expect_traffic(*a, *b, 1000);
}

TEST_P(FrontendNet, AGuestThatStopsAndStartsItsQueuesGoesOn) {
  const auto a = client("eth0", 2);
  const auto b = client("eth1");
  a->start();
  b->start();
  for (int i = 0; i < 5; ++i) {
    expect_traffic(*b, *a, 23);
    a->restart();
  }
}

// A packed ring says of itself only where buffers took one slot each. Two laps that end with a
// chain of two slots: the second of them looks available still.
TEST_P(FrontendNet, AStoppedRingGoesOnWhereItWasSaidToBe) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  constexpr unsigned kSize = 64;  // of the ring
  for (unsigned lap = 0; lap < 2; ++lap) {
    for (unsigned i = 0; i < kSize - 1; ++i) {
      const Bytes there = frame(60 + i, i);
      ASSERT_TRUE(a->send(there, 0, {}, i == kSize - 2));
      ASSERT_EQ(b->receive(), there) << i;
    }
  }
  a->restart();
  expect_traffic(*a, *b, 3);
}

TEST_P(FrontendNet, AFrontEndThatReconnectsGoesOnWithItsRings) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  for (unsigned i = 0; i < 5; ++i) {
    expect_traffic(*a, *b, 41 + i);
    a->reconnect();
  }
  expect_traffic(*a, *b, 10);
}

TEST_P(FrontendNet, AKilledFrontendsNextLifeGoesOnWithItsRings) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  for (unsigned i = 0; i < 3; ++i) {
    expect_traffic(*a, *b, 37 + i);
    frontend_.kill();
    start_frontend();
    a->reconnect();
    b->reconnect();
  }
  expect_traffic(*a, *b, 10);
}

TEST_P(FrontendNet, ADeadDriverCostsItsPortAPauseAndTheGuestNothing) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  expect_traffic(*a, *b, 10);
  broker_.end_session(Status::Gone);  // eth1's
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(b->send(frame(60, 1))) << "dropped, never stuck";
  EXPECT_TRUE(a->send(frame(60, 1)));
  StubSwitch next(net::port_geometry(kPairs, net::kSlots));
  connect_port(1, 1, next.port(0));
  next.start();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (next.port(0).frames == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_TRUE(b->send(frame(60, 2)));
  }
}

TEST_P(FrontendNet, ADriverThatRingsWithoutEndKeepsNobodyAwake) {
  const auto a = client("eth0");
  const auto b = client("eth1");
  a->start();
  b->start();
  expect_traffic(*a, *b, 10);
  {
    const BellStorm storm(switch_->port(0).call);
    EXPECT_LT(busy_in_a_second(frontend_), std::chrono::milliseconds(50));
    ASSERT_TRUE(a->send(frame(60, 1)));
    EXPECT_EQ(b->receive(), frame(60, 1)) << "what the guest has to say is heard as ever";
  }
  expect_traffic(*a, *b, 1);
}

TEST_P(FrontendNet, MessagesThatCannotBeCostTheConnectionOrTheRequestOnly) {
  const auto b = client("eth1");
  b->start();
  for (int attack = 0; attack < 6; ++attack) {
    const auto a = client("eth0");
    VhostUserConnection& peer = a->connection();
    switch (attack) {
      case 0:
        EXPECT_NE(peer.acknowledged(Request::SetVringNum, VringState{4, 64}), 0U);
        break;
      case 1:  // a position past the ring, or an index of more than 16 bits
        EXPECT_EQ(peer.acknowledged(Request::SetVringBase, VringState{0, 0x7fff7fff}),
                  GetParam() ? 0U : 1U);
        a->start_queue(0, GetParam() ? 0x7fff7fff : 0);
        break;
      case 2: {
        const std::uint64_t everything = ~std::uint64_t{0};
        EXPECT_NE(peer.acknowledged(Request::SetFeatures, everything), 0U);
        break;
      }
      case 3:
        EXPECT_NE(peer.acknowledged(Request::SetVringEnable, VringState{UINT32_MAX, 1}), 0U);
        break;
      case 4:
        peer.send_value(Request::SetStatus, std::uint32_t{1});  // too short: the end
        break;
      default:
        a->start();
        EXPECT_NE(peer.acknowledged(Request::SetMtu, UINT64_MAX), 0U);
    }
  }
  const auto a = client("eth0");
  a->start();
  expect_traffic(*a, *b, 3);
}

TEST_P(FrontendNet, TruncatedGuestMemoryEndsTheFrontendOfThatClient) {
  const auto a = client("eth0");
  a->start();
  ASSERT_EQ(::ftruncate(a->memory_fd(), 0), 0);
  const std::uint64_t one = 1;
  (void)!::write(a->kick_fd(1), &one, sizeof one);
  const auto status = frontend_.wait(kPatience);
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 1);
}

TEST(FrontendMixed, OneProcessServesAVolumeAndAPort) {
  TemporaryDirectory directory;
  PlayedBroker broker;
  const Process frontend = Process::start(
      {.arguments = frontend_command(
           broker, {"--device", "name=vda,socket=" + directory.path("vda"), "--device",
                    "class=net,name=eth0,socket=" + directory.path("eth0")}),
       .inherited = {broker.child_fd()}});
  broker.drop_child_fd();

  broker.grant("vda", 1);
  SessionParts parts = broker.accept_connect();
  EchoBackend disk(parts, std::vector<std::byte>(1U << 20));
  broker.complete(parts, disk_info(1U << 20));
  broker.grant("eth0", 2);
  StubSwitch two_ports(broker.hear_connect());
  net::Info info;
  info.mac = {{2, 0, 0, 0, 0, 1}};
  info.mtu = 1500;
  info.offloads = net::Offload::kAll;
  broker.complete(two_ports.port(0).parts, info);
  two_ports.start();

  VhostUserClient volume({.socket_path = directory.path("vda")});
  volume.start();
  VhostUserNetClient port({.socket_path = directory.path("eth0")});
  port.start();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(volume.execute({.bytes = 512}), VIRTIO_BLK_S_OK);
    ASSERT_TRUE(port.send(frame(60, 1)));
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (two_ports.port(0).frames < 100 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(two_ports.port(0).frames, 100U);
}

}  // namespace
}  // namespace cede::test
