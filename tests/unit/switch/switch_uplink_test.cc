// SPDX-License-Identifier: Apache-2.0
// Uplinks that are real interfaces, with the kernel's own network stack at the other end.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>

#include "tests/support/network_namespace.h"
#include "tests/unit/switch/frames.h"
#include "tests/unit/switch/loaded_frame.h"
#include "tests/unit/switch/switch_process.h"

namespace cede::test {
namespace {

using net::LinkState;
using net::Offload;
using Type = net::Control::Type;

constexpr Address kHost = 0xFE;  // the kernel's end: 10.0.0.254
constexpr std::uint16_t kEchoPort = 9;
constexpr Geometry kLarge{
    .pages = 2048, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 512};

sockaddr_in address_of(Address address, std::uint16_t port_number) {
  sockaddr_in socket_address{};
  socket_address.sin_family = AF_INET;
  socket_address.sin_port = htons(port_number);
  socket_address.sin_addr.s_addr = htonl(0x0A000000U | address);
  return socket_address;
}

// A socket in that namespace, bound to the host's address.
Fd host_socket(const NetworkNamespace& space, int type, std::uint16_t port_number) {
  Fd fd;
  space.run([&] { fd = checked(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); });
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in own = address_of(kHost, port_number);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    throw std::runtime_error("the host's address is not there");
  }
  return fd;
}
Bytes receive_from(const Fd& fd, std::size_t most) {
  pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("nothing reached the kernel");
  Bytes bytes(most);
  const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}
void send_to(const Fd& fd, Address to, const Bytes& payload, std::uint16_t port_number) {
  const sockaddr_in there = address_of(to, port_number);
  ASSERT_EQ(::sendto(fd.get(), payload.data(), payload.size(), 0,
                     reinterpret_cast<const sockaddr*>(&there), sizeof there),
            static_cast<ssize_t>(payload.size()));
}

// The kernel is a host at interface `name`, and knows where ports 1 and 2 are.
void set_up_host(const NetworkNamespace& space, const std::string& name) {
  space.must("echo 1 > /proc/sys/net/ipv6/conf/" + name + "/disable_ipv6");
  space.must("ip link set " + name + " address 52:54:00:00:00:fe");
  space.must("ip addr add 10.0.0.254/24 dev " + name);
  space.must("ip link set " + name + " up");
  for (const char* client : {"1", "2"}) {
    space.must("ip neigh replace 10.0.0." + std::string(client) + " lladdr 52:54:00:00:00:0" +
               client + " dev " + name);
  }
}

// The next frame that `wanted` accepts; others are none of the test's business.
ReceivedFrame receive_such(NetClient& client, const std::function<bool(const Bytes&)>& wanted) {
  while (true) {
    const ReceivedFrame frame = client.receive();
    client.post(static_cast<std::uint32_t>(frame.parts.size()));
    if (wanted(frame.bytes)) return frame;
  }
}
bool is_udp(const Bytes& frame) {
  return read16(frame, 12) == 0x0800 && frame.at(23) == 17;
}
bool is_tcp(const Bytes& frame) {
  return read16(frame, 12) == 0x0800 && frame.at(23) == 6;
}

class SwitchUplink : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void start_with_tap(const std::vector<std::string>& ports) {
    space_.emplace();
    const std::vector<Fd> tap = space_->open_tap("tap0");
    set_up_host(*space_, "tap0");
    start(ports, tap[0], "tap", "tap0");
  }
  void start_with_packet_socket(const std::vector<std::string>& ports) {
    space_.emplace();
    make_veth();
    Fd fd;
    space_->run(
        [&] { fd = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))); });
    start(ports, fd, "packet", "veth0");
  }
  void make_veth() {
    space_->must("ip link add veth0 type veth peer name veth1");
    space_->must("echo 1 > /proc/sys/net/ipv6/conf/veth0/disable_ipv6");
    space_->must("ip link set veth0 up");
    set_up_host(*space_, "veth1");
  }
  void start(const std::vector<std::string>& ports, const Fd& fd, const std::string& kind,
             const std::string& name) {
    const int fds[] = {fd.get()};
    program_.emplace(
        ports,
        std::vector<std::string>{"--uplink-fd", std::to_string(fd.get()), "--uplink", kind,
                                 "--uplink-name", name, "--uid", "65534", "--gid", "65534"},
        fds);
  }
  // A datagram each way; what arrives here has a checksum that holds.
  void talk(NetClient& client, std::uint32_t seed = 1) {
    const Fd host = host_socket(*space_, SOCK_DGRAM, kEchoPort);
    const Partial datagram = udp({.from = 1, .to = kHost}, noise(100, seed));
    ASSERT_EQ(client.send(datagram.frame, datagram.header), net::Verdict::Taken);
    EXPECT_EQ(receive_from(host, 2000), noise(100, seed));
    send_to(host, 1, noise(333, seed), 4711);
    const Bytes got = receive_such(client, is_udp).bytes;
    EXPECT_TRUE(checksums_hold(got));
    EXPECT_EQ(slice(got, 42, got.size() - 42), noise(333, seed));
  }
  [[nodiscard]] static std::uint64_t await_link(NetClient& client, LinkState known) {
    return client.ask(Type::AwaitLink, known.value()).value;
  }

  std::optional<NetworkNamespace> space_;
  std::optional<SwitchProcess> program_;
};

constexpr LinkState kUp{.up = true, .mtu = 1500};
constexpr LinkState kDown{.up = false, .mtu = 1500};

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
  space_->run([&] {
    wire = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll there{};
    there.sll_family = AF_PACKET;
    there.sll_protocol = htons(ETH_P_ALL);
    there.sll_ifindex = static_cast<int>(::if_nametoindex("veth1"));
    ASSERT_EQ(::bind(wire.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
  });
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

TEST_F(SwitchUplink, ATapThatIsDeletedIsSaidToBeGone) {
  start_with_tap({port(1), port(2), port(3) + ",isolated"});
  auto one = program_->connect(0, kLarge);
  auto two = program_->connect(1, kLarge);
  auto alone = program_->connect(2, kLarge);  // reaches the uplink only: its link goes with it
  two->post(32);
  space_->must("ip link del tap0");
  EXPECT_EQ(await_link(*alone.client, kUp), kDown.value());
  EXPECT_NE(program_->log().find("uplink tap0 is gone"), std::string::npos) << program_->log();
  one->send(small_frame(2, 1));
  (void)receive_such(*two.client, [](const Bytes& got) { return got == small_frame(2, 1); });
  EXPECT_EQ(program_->hang_up(), 0) << program_->log();
}

TEST_F(SwitchUplink, AnInterfaceThatVanishesAndIsMadeAnew) {
  start_with_packet_socket({port(1), port(2), port(3) + ",isolated"});
  auto one = program_->connect(0, kLarge);
  auto two = program_->connect(1, kLarge);
  auto alone = program_->connect(2, kLarge);  // reaches the uplink only: its link goes with it
  one->post(32);
  two->post(32);
  talk(*one.client);
  space_->must("ip link del veth0");
  EXPECT_EQ(await_link(*alone.client, kUp), kDown.value());
  one->send(small_frame(kHost, 1));
  EXPECT_GE(program_->drops(0, Drop::LinkDown), 1U);
  one->send(small_frame(2, 1));
  (void)receive_such(*two.client, [](const Bytes& got) { return got == small_frame(2, 1); });
  make_veth();
  EXPECT_EQ(await_link(*alone.client, kDown), kUp.value());
  talk(*one.client, 2);
  EXPECT_EQ(program_->hang_up(), 0) << program_->log();
}

TEST_F(SwitchUplink, AnInterfaceThatIsSetDownAndUp) {
  start_with_packet_socket({port(1)});
  auto one = program_->connect(0, kLarge);
  one->post(32);
  space_->must("ip link set veth0 down");
  EXPECT_EQ(await_link(*alone.client, kUp), kDown.value());
  space_->must("ip link set veth0 up");
  EXPECT_EQ(await_link(*alone.client, kDown), kUp.value());
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

// The same segment, cut by the switch and by the kernel: written to a TAP that is bridged to one
// without offloads.
TEST_F(SwitchUplink, CutsAreTheKernelsByteForByte) {
  NetworkNamespace space;
  const Fd in = std::move(space.open_tap("in")[0]);
  const Fd out = std::move(space.open_tap("out")[0]);
  space.must("ip link add bridge type bridge stp_state 0 forward_delay 0");
  for (const char* name : {"in", "out"}) {
    space.must(std::string("echo 1 > /proc/sys/net/ipv6/conf/") + name + "/disable_ipv6");
    space.must(std::string("ip link set ") + name + " mtu 9000 master bridge up");
  }
  space.must("echo 1 > /proc/sys/net/ipv6/conf/bridge/disable_ipv6");
  space.must("ip link set bridge up");
  const auto next_from_kernel = [&] {
    while (true) {
      pollfd waiting{.fd = out.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("the kernel cut nothing");
      Bytes bytes(70'000);
      const ssize_t got = ::read(out.get(), bytes.data(), bytes.size());
      bytes.resize(static_cast<std::size_t>(got));
      Bytes frame = slice(bytes, sizeof(virtio_net_hdr), bytes.size() - sizeof(virtio_net_hdr));
      if (slice(frame, 0, 6) == mac(2)) return frame;
    }
  };
  for (const bool v6 : {false, true}) {
    for (const int flags : {0x10, 0x18, 0x19, 0xD8}) {
      for (const std::uint16_t size : {std::uint16_t{1448}, std::uint16_t{777}}) {
        for (const std::size_t total : {2000U, 1448U * 4, 60'001U}) {
          Partial segment = tcp({.v6 = v6, .id = 0xFFFE}, noise(total), size,
                                static_cast<std::uint8_t>(flags), 0xFFFF'FF00U);
          segment.header.hdr_len = static_cast<std::uint16_t>(segment.frame.size() - total);
          Bytes written(sizeof(virtio_net_hdr));
          std::memcpy(written.data(), &segment.header, written.size());
          append(written, segment.frame);
          ASSERT_EQ(::write(in.get(), written.data(), written.size()),
                    static_cast<ssize_t>(written.size()));
          driver::Frame frame;
          ASSERT_TRUE(load(frame, segment.frame, segment.header));
          for (const Delivered& cut : deliver_all(frame, {})) {
            ASSERT_EQ(cut.bytes, next_from_kernel())
                << "v6 " << v6 << " flags " << flags << " size " << size << " of " << total;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace cede::test
