// SPDX-License-Identifier: Apache-2.0
// UDP segmentation (UDP_SEGMENT, udp(7)) between the kernel and the switch. Needs Linux 6.2.
#include <netinet/udp.h>

#include "driver_vm/net/uplink.h"
#include "tests/unit/switch/kernel_segmenter.h"
#include "tests/unit/switch/uplink_fixture.h"

namespace cede::test {
namespace {

using net::Offload;
using Type = net::Control::Type;

constexpr std::uint16_t kSize = 1000;
constexpr std::size_t kTotal = 20'001;

class UdpSegments : public SwitchUplink {
 protected:
  void SetUp() override {
    SwitchUplink::SetUp();
    if (IsSkipped()) return;
    const NetworkNamespace space;
    const Fd tap = std::move(space.open_tap("tap0")[0]);
    if (::ioctl(tap.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) != 0) {
      GTEST_SKIP() << "this kernel has no virtio header for them";
    }
  }
  void start(bool tap) {
    if (tap) {
      start_with_tap({port(1)});
    } else {
      start_with_packet_socket({port(1)});
    }
    one_.emplace(program_->connect(0, kLarge));
    (*one_)->post(500);
  }
  // The kernel sends them all by one call.
  void kernel_sends(const Bytes& payload) {
    const Fd host = host_socket(*space_, SOCK_DGRAM, kEchoPort);
    const int size = kSize;
    ASSERT_EQ(::setsockopt(host.get(), SOL_UDP, UDP_SEGMENT, &size, sizeof size), 0);
    send_to(host, 1, payload, 4711);
  }

  std::optional<SwitchProcess::Connected> one_;
};

TEST_F(UdpSegments, ComeWholeToAClientThatUnderstandsThem) {
  for (const bool tap : {true, false}) {
    start(tap);
    (*one_)->ask(Type::SetOffloads, Offload::kAll);
    kernel_sends(noise(kTotal));
    const ReceivedFrame got = receive_such(*one_->client, is_udp);
    EXPECT_EQ(got.header.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4) << "tap " << tap;
    EXPECT_EQ(got.header.gso_size, kSize);
    EXPECT_EQ(slice(got.bytes, 42, got.bytes.size() - 42), noise(kTotal));
  }
}

TEST_F(UdpSegments, ComeCutToAClientThatDoesNot) {
  for (const bool tap : {true, false}) {
    start(tap);
    kernel_sends(noise(kTotal));
    Bytes whole;
    while (whole.size() < kTotal) {
      const ReceivedFrame got = receive_such(*one_->client, is_udp);
      EXPECT_TRUE(checksums_hold(got.bytes));
      EXPECT_EQ(got.bytes.size() - 42, std::min<std::size_t>(kSize, kTotal - whole.size()));
      append(whole, slice(got.bytes, 42, got.bytes.size() - 42));
    }
    EXPECT_EQ(whole, noise(kTotal));
  }
}

TEST_F(UdpSegments, ReachTheKernel) {
  for (const bool tap : {true, false}) {
    start(tap);
    const Fd host = host_socket(*space_, SOCK_DGRAM, kEchoPort);
    const Partial all = datagrams({.from = 1, .to = kHost}, noise(kTotal), kSize);
    EXPECT_EQ((*one_)->send(all.frame, all.header), net::Verdict::Taken);
    Bytes whole;
    while (whole.size() < kTotal) {
      const Bytes got = receive_from(host, 65536);
      EXPECT_EQ(got.size(), std::min<std::size_t>(kSize, kTotal - whole.size())) << "tap " << tap;
      append(whole, got);
    }
    EXPECT_EQ(whole, noise(kTotal));
  }
}

TEST_F(UdpSegments, AreCutAsTheKernelCutsThem) {
  constexpr std::uint16_t kSizes[] = {1448, 777, 500};
  constexpr std::uint16_t kTinySizes[] = {1, 2, 33};
  KernelSegmenter kernel;
  for (const bool v6 : {false, true}) {
    for (const std::uint16_t size : kSizes) {
      for (const std::size_t total : {2000U, 1448U * 4, 60'001U}) {
        kernel.expect_same(datagrams({.v6 = v6, .id = 0xFFFE}, noise(total), size), total);
        ASSERT_FALSE(HasFailure()) << "v6 " << v6;
      }
    }
    for (const std::uint16_t size : kTinySizes) {
      kernel.expect_same(datagrams({.v6 = v6}, noise(size * 128U), size), size * 128U);
      ASSERT_FALSE(HasFailure()) << "v6 " << v6;
    }
  }
}

// A sum of zero is written the same way by both.
TEST_F(UdpSegments, TheKernelsChecksumOfZeroIsOurs) {
  KernelSegmenter kernel;
  Bytes payload = noise(300);
  put16(payload, 100, 0);
  driver::Frame frame;
  const Partial all = datagrams({}, payload, 100);
  ASSERT_TRUE(load(frame, all.frame, all.header));
  put16(payload, 100, read16(deliver_all(frame, {})[1].bytes, 40));
  kernel.expect_same(datagrams({}, payload, 100), payload.size());
}

// For a packet socket it may say too little, between Linux 6.2 and 6.6, but never too much.
TEST_F(UdpSegments, AnUplinkSaysWhetherItsKernelTakesThem) {
  space_.emplace();
  Fd queue = std::move(space_->open_tap("tap0")[0]);
  space_->must("ip link set tap0 up");
  Fd socket;
  space_->run([&] { socket = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); });
  bind_packet_socket(socket, "lo");
  driver::EventLoop loop;
  driver::Uplink tap(std::move(queue), driver::Uplink::Kind::Tap, "tap0", loop);
  driver::Uplink packet(std::move(socket), driver::Uplink::Kind::Packet, "lo", loop);
  EXPECT_EQ(tap.offloads(), Offload::kAll);

  const Partial all = datagrams({}, noise(kTotal), kSize);
  driver::Frame frame;
  ASSERT_TRUE(load(frame, all.frame, all.header));
  for (driver::Uplink* const uplink : {&tap, &packet}) {
    const driver::ReceiverForm form{.offloads = uplink->offloads(), .tagged = false};
    driver::deliver(frame, form, [&](const net::Header& header, const driver::Pieces& pieces) {
      EXPECT_EQ(uplink->write(header, pieces), driver::Uplink::Sent::Ok) << uplink->name();
      return true;
    });
  }
}

}  // namespace
}  // namespace cede::test
