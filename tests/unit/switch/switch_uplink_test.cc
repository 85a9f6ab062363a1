// SPDX-License-Identifier: Apache-2.0
// Uplinks that are real interfaces, with the kernel's own network stack at the other end.
#include "tests/unit/switch/kernel_segmenter.h"
#include "tests/unit/switch/uplink_fixture.h"

namespace cede::test {
namespace {

using net::LinkState;
using net::Offload;
using Type = net::Control::Type;

TEST_F(SwitchUplink, ADatagramEachWayOverATap) {
  start_with_tap({port(1)});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  talk(*one.client);
  // The kernel verifies what comes complete: a wrong checksum does not get through, a right one
  // does.
  const Fd host = host_socket(*space_, SOCK_DGRAM, kEchoPort);
  driver::Frame frame;
  const Partial partial_datagram = udp({.from = 1, .to = kHost}, noise(50));
  ASSERT_TRUE(load(frame, partial_datagram.frame, partial_datagram.header));
  const Bytes good = deliver_all(frame, {})[0].bytes;
  Bytes bad = good;
  bad.back() ^= 1;
  EXPECT_EQ(one->send(bad), net::Verdict::Taken);
  EXPECT_EQ(one->send(good), net::Verdict::Taken);
  EXPECT_EQ(receive_from(host, 2000), noise(50));
  EXPECT_EQ(program_->hang_up(), 0) << program_->log();
}

TEST_F(SwitchUplink, ADatagramEachWayOverAPacketSocket) {
  start_with_packet_socket({port(1)});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  talk(*one.client);
}

TEST_F(SwitchUplink, ArpIsAnsweredByTheHost) {
  start_with_tap({port(1, ",ipv4=10.0.0.1,isolated"), port(2)});
  auto one = program_->connect(0, kLarge);
  one->post(8);
  one->send(arp(1, 1, kHost));
  const Bytes answer = receive_such(*one.client, [](const Bytes& frame) {
                         return read16(frame, 12) == 0x0806 && frame.at(21) == 2;
                       }).bytes;
  EXPECT_EQ(slice(answer, 22, 6), mac(kHost));
}

TEST_F(SwitchUplink, TagsOnAPacketSocket) {
  start_with_packet_socket({port(1, ",vlan=5"), port(2)});
  auto one = program_->connect(0, kLarge);
  auto two = program_->connect(1, kLarge);
  one->post(32);
  two->post(32);
  Fd wire;  // the other end of the cable
  space_->run([&] { wire = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); });
  bind_packet_socket(wire, "veth1");
  const int yes = 1;
  ASSERT_EQ(::setsockopt(wire.get(), SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes), 0);

  const Bytes in = tagged(small_frame(kBroadcast, 0x33), 5);
  ASSERT_EQ(::send(wire.get(), in.data(), in.size(), 0), static_cast<ssize_t>(in.size()));
  EXPECT_EQ(
      receive_such(*one.client, [](const Bytes& frame) { return frame.at(11) == 0x33; }).bytes,
      small_frame(kBroadcast, 0x33));
  const Bytes plain = small_frame(kBroadcast, 0x34);
  ASSERT_EQ(::send(wire.get(), plain.data(), plain.size(), 0), static_cast<ssize_t>(plain.size()));
  EXPECT_EQ(
      receive_such(*two.client,
                   [](const Bytes& frame) { return frame.at(11) == 0x33 || frame.at(11) == 0x34; })
          .bytes,
      plain);

  // The kernel takes the tag out of the frame and tells it apart.
  one->send(small_frame(0x33, 1));
  Bytes out(2000);
  alignas(cmsghdr) char control[256];
  iovec part{out.data(), out.size()};
  msghdr message{};
  ssize_t got = 0;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    got = ::recvmsg(wire.get(), &message, 0);
    ASSERT_GT(got, 0);
  } while (out[11] != 1);
  out.resize(static_cast<std::size_t>(got));
  EXPECT_EQ(out, small_frame(0x33, 1));
  tpacket_auxdata auxiliary{};
  std::memcpy(&auxiliary, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof auxiliary);
  EXPECT_NE(auxiliary.tp_status & TP_STATUS_VLAN_VALID, 0U);
  EXPECT_EQ(auxiliary.tp_vlan_tci, 5);
}

// TCP by hand, with the kernel as its peer.
class TcpOverUplink : public SwitchUplink {
 protected:
  Partial segment(std::uint8_t flags, const Bytes& payload = {}) const {
    Bytes bytes = be16(4711);
    append(bytes, be16(read16(syn_, 34)));
    append(bytes, be32(own_));
    append(bytes, be32(peer_));
    const bool syn = (flags & 2) != 0;
    append(bytes, {static_cast<std::uint8_t>(syn ? 0x70 : 0x50), flags, 0xFF, 0xFF, 0, 0, 0, 0});
    if (syn) append(bytes, {2, 4, 5, 0xB4, 1, 3, 3, 7});  // MSS 1460, window times 128
    append(bytes, payload);
    return partial({.from = 1, .to = kHost, .protocol = 6}, bytes, 16);
  }
  // The kernel connects; `one_` is the other end.
  void connect() {
    one_.emplace(program_->connect(0, kLarge));
    (*one_)->post(500);
    host_ = host_socket(*space_, SOCK_STREAM, 0);
    const sockaddr_in there = address_of(1, 4711);
    (void)::connect(host_.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there);
    syn_ = receive_such(*one_->client, is_tcp).bytes;
    peer_ = read32(syn_, 38) + 1;
    const Partial answer = segment(0x12);
    (*one_)->send(answer.frame, answer.header);
    ++own_;
    (void)receive_such(*one_->client, is_tcp);  // its ACK
  }

  std::optional<SwitchProcess::Connected> one_;
  Fd host_;
  Bytes syn_ = Bytes(64);
  std::uint32_t own_ = 5000;
  std::uint32_t peer_ = 0;
};

class TcpStream : public TcpOverUplink {
 protected:
  // The kernel sends `total` bytes; they come whole, in frames that `good` looks at.
  void expect_stream(std::size_t total, const std::function<void(const ReceivedFrame&)>& good) {
    const Bytes sent = noise(total);
    std::size_t written = 0;
    Bytes whole;
    while (whole.size() < total) {
      if (written < total) {
        const ssize_t more = ::send(host_.get(), sent.data() + written, total - written, 0);
        if (more > 0) written += static_cast<std::size_t>(more);
      }
      const ReceivedFrame frame = receive_such(*one_->client, is_tcp);
      const std::size_t headers = 34 + (frame.bytes[46] >> 4) * 4U;
      if (frame.bytes.size() == headers) continue;
      if (read32(frame.bytes, 38) != peer_) continue;  // once more: the machine is slow
      good(frame);
      append(whole, slice(frame.bytes, headers, frame.bytes.size() - headers));
      peer_ += static_cast<std::uint32_t>(frame.bytes.size() - headers);
      const Partial acknowledgement = segment(0x10);
      (*one_)->send(acknowledgement.frame, acknowledgement.header);
    }
    EXPECT_EQ(whole, sent);
  }
};

TEST_F(TcpStream, WholeSegmentsForAClientThatUnderstandsThem) {
  start_with_tap({port(1)});
  connect();
  (*one_)->ask(Type::SetOffloads, Offload::kAll);
  std::size_t longest = 0;
  expect_stream(300'000, [&](const ReceivedFrame& frame) {
    longest = std::max(longest, frame.bytes.size());
    EXPECT_TRUE(net::consistent(frame.header, static_cast<std::uint32_t>(frame.bytes.size()),
                                Offload::kAll));
  });
  EXPECT_GT(longest, 3000U);
}

TEST_F(TcpStream, CutSegmentsForAClientThatDoesNot) {
  for (const bool tap : {true, false}) {
    if (tap) {
      start_with_tap({port(1)});
    } else {
      start_with_packet_socket({port(1)});
    }
    connect();
    expect_stream(300'000, [&](const ReceivedFrame& frame) {
      EXPECT_LE(frame.bytes.size(), 1514U);
      EXPECT_TRUE(checksums_hold(frame.bytes));
      EXPECT_EQ(frame.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    });
    own_ = 5000;
  }
}

TEST_F(TcpStream, AWholeSegmentReachesTheKernel) {
  for (const bool tap : {true, false}) {
    if (tap) {
      start_with_tap({port(1)});
    } else {
      start_with_packet_socket({port(1)});
    }
    connect();
    const Bytes payload = noise(40'000);
    Partial large = segment(0x18, payload);
    large.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    large.header.gso_size = 1448;
    EXPECT_EQ((*one_)->send(large.frame, large.header), net::Verdict::Taken);
    Bytes whole;
    while (whole.size() < payload.size()) append(whole, receive_from(host_, 65536));
    EXPECT_EQ(whole, payload);
    own_ = 5000;
  }
}

TEST_F(SwitchUplink, ATapThatIsSetDownComesBack) {
  start_with_tap({port(1), port(2), port(3) + ",isolated"});
  auto one = program_->connect(0, kLarge);
  auto two = program_->connect(1, kLarge);
  auto alone = program_->connect(2, kLarge);  // reaches the uplink only: its link goes with it
  one->post(32);
  two->post(32);
  talk(*one.client);
  space_->must("ip link set tap0 down");
  one->send(small_frame(kHost, 1));  // finds out
  EXPECT_EQ(await_link(*alone.client, kUp), kDown.value());
  EXPECT_GE(program_->drops(0, Drop::LinkDown), 1U);
  // Between the clients nothing has changed.
  one->send(small_frame(2, 1));
  (void)receive_such(*two.client, [](const Bytes& got) { return got == small_frame(2, 1); });
  space_->must("ip link set tap0 up");
  EXPECT_EQ(await_link(*alone.client, kDown), kUp.value());
  space_->must("ip neigh replace 10.0.0.1 lladdr 52:54:00:00:00:01 dev tap0");
  talk(*one.client, 2);
  EXPECT_EQ(program_->hang_up(), 0) << program_->log();
}

TEST_F(SwitchUplink, AnInterfaceThatIsSetDownAndUp) {
  start_with_packet_socket({port(1) + ",isolated"});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  space_->must("ip link set veth0 down");
  EXPECT_EQ(await_link(*one.client, kUp), kDown.value());
  space_->must("ip link set veth0 up");
  EXPECT_EQ(await_link(*one.client, kDown), kUp.value());
  talk(*one.client);
}

TEST_F(SwitchUplink, AnIdleUplinkLetsTheSwitchSleep) {
  start_with_tap({port(1)});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  talk(*one.client);
  ::usleep(100'000);
  const std::uint64_t before = program_->cpu_nanoseconds();
  ::usleep(500'000);
  EXPECT_EQ(program_->cpu_nanoseconds(), before);
}

// The same segment, cut by the switch and by the kernel.
TEST_F(SwitchUplink, CutsAreTheKernelsByteForByte) {
  KernelSegmenter kernel;
  for (const bool v6 : {false, true}) {
    for (const int flags : {0x10, 0x18, 0x19, 0xD8}) {
      for (const std::uint16_t size : {std::uint16_t{1448}, std::uint16_t{777}}) {
        for (const std::size_t total : {2000U, 1448U * 4, 60'001U}) {
          kernel.expect_same(tcp({.v6 = v6, .id = 0xFFFE}, noise(total), size,
                                 static_cast<std::uint8_t>(flags), 0xFFFF'FF00U),
                             total);
          ASSERT_FALSE(HasFailure()) << "v6 " << v6 << " flags " << flags;
        }
      }
    }
  }
}

}  // namespace
}  // namespace cede::test
