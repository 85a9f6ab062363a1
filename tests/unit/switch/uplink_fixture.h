// SPDX-License-Identifier: Apache-2.0
// A switch whose uplink is a real interface, with the kernel's own network stack at the other end.
#pragma once

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

inline constexpr Address kHost = 0xFE;  // the kernel's end: 10.0.0.254
inline constexpr std::uint16_t kEchoPort = 9;
inline constexpr Geometry kLarge{
    .pages = 2048, .rings = net::rings_for(1), .slot_bytes = net::kSlotBytes, .slots = 512};

inline sockaddr_in address_of(Address address, std::uint16_t port_number) {
  sockaddr_in socket_address{};
  socket_address.sin_family = AF_INET;
  socket_address.sin_port = htons(port_number);
  socket_address.sin_addr.s_addr = htonl(0x0A000000U | address);
  return socket_address;
}

// A socket in that namespace, bound to the host's address.
inline Fd host_socket(const NetworkNamespace& space, int type, std::uint16_t port_number) {
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
inline Bytes receive_from(const Fd& fd, std::size_t most) {
  pollfd waiting{.fd = fd.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kPatience) != 1) throw std::runtime_error("nothing reached the kernel");
  Bytes bytes(most);
  const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}
inline void send_to(const Fd& fd, Address to, const Bytes& payload, std::uint16_t port_number) {
  const sockaddr_in there = address_of(to, port_number);
  ASSERT_EQ(::sendto(fd.get(), payload.data(), payload.size(), 0,
                     reinterpret_cast<const sockaddr*>(&there), sizeof there),
            static_cast<ssize_t>(payload.size()));
}

// The kernel is a host at interface `name`, and knows where ports 1 and 2 are.
inline void set_up_host(const NetworkNamespace& space, const std::string& name) {
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
inline ReceivedFrame receive_such(NetClient& client,
                                  const std::function<bool(const Bytes&)>& wanted) {
  while (true) {
    const ReceivedFrame frame = client.receive();
    client.post(static_cast<std::uint32_t>(frame.parts.size()));
    if (wanted(frame.bytes)) return frame;
  }
}
inline bool is_udp(const Bytes& frame) {
  return read16(frame, 12) == 0x0800 && frame.at(23) == 17;
}
inline bool is_tcp(const Bytes& frame) {
  return read16(frame, 12) == 0x0800 && frame.at(23) == 6;
}

class SwitchUplink : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void start_with_tap(const std::vector<std::string>& ports) {
    space_.emplace();
    uplink_ = std::move(space_->open_tap("tap0")[0]);
    set_up_host(*space_, "tap0");
    start(ports, "tap", "tap0");
  }
  // As the supervisor does it, which has the same open file.
  void restore_tap() {
    NetworkNamespace::attach_tap(uplink_.get(), "tap0", 1);
    const int header = sizeof(net::Header);
    ASSERT_EQ(::ioctl(uplink_.get(), TUNSETVNETHDRSZ, &header), 0);
    ASSERT_EQ(::ioctl(uplink_.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), 0);
    set_up_host(*space_, "tap0");
  }
  void start_with_packet_socket(const std::vector<std::string>& ports) {
    space_.emplace();
    make_veth();
    space_->run([&] { uplink_ = checked(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)); });
    bind_uplink();
    start(ports, "packet", "veth0");
  }
  void bind_uplink() {
    bind_packet_socket(uplink_, "veth0");
    packet_mreq all{};
    space_->run([&] { all.mr_ifindex = static_cast<int>(::if_nametoindex("veth0")); });
    all.mr_type = PACKET_MR_PROMISC;
    ASSERT_EQ(::setsockopt(uplink_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all), 0);
  }
  void bind_packet_socket(const Fd& fd, const std::string& name) {
    space_->run([&] {
      sockaddr_ll there{};
      there.sll_family = AF_PACKET;
      there.sll_protocol = htons(ETH_P_ALL);
      there.sll_ifindex = static_cast<int>(::if_nametoindex(name.c_str()));
      ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
    });
  }
  void make_veth() {
    space_->must("ip link add veth0 type veth peer name veth1");
    space_->must("echo 1 > /proc/sys/net/ipv6/conf/veth0/disable_ipv6");
    space_->must("ip link set veth0 up");
    set_up_host(*space_, "veth1");
    // The kernel drops what is sent before it has noticed the other end, within a second.
    for (const std::string name : {"veth0", "veth1"}) {
      space_->must("for i in $(seq 100); do ip link show " + name +
                   " | grep -q 'state UP' && exit 0; sleep 0.02; done; exit 1");
    }
  }
  void start(const std::vector<std::string>& ports, const std::string& kind,
             const std::string& name) {
    const int fds[] = {uplink_.get()};
    program_.emplace(
        ports,
        std::vector<std::string>{"--uplink-fd", std::to_string(uplink_.get()), "--uplink", kind,
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
  [[nodiscard]] static std::uint64_t await_link(NetClient& client, net::LinkState known) {
    return client.ask(net::Control::Type::AwaitLink, known.value()).value;
  }

  // The uplink goes by `lose` and comes back by `restore`: isolated ports are told, the others go
  // on talking to each other, and the switch lives through it.
  void expect_to_survive(const std::function<void()>& lose, const std::function<void()>& restore) {
    auto one = program_->connect(0, kLarge);
    auto two = program_->connect(1, kLarge);
    auto alone = program_->connect(2, kLarge);
    one->post(32);
    two->post(32);
    talk(*one.client);
    for (std::uint32_t round = 1; round <= 3; ++round) {
      lose();
      EXPECT_EQ(await_link(*alone.client, kUp), kDown.value());
      one->send(small_frame(kHost, 1));
      EXPECT_GE(program_->drops(0, Drop::LinkDown), round);
      one->send(small_frame(2, 1));
      (void)receive_such(*two.client, [](const Bytes& got) { return got == small_frame(2, 1); });
      two->post(1);
      restore();
      EXPECT_EQ(await_link(*alone.client, kDown), kUp.value());
      talk(*one.client, round + 1);
    }
    EXPECT_EQ(program_->hang_up(), 0) << program_->log();
  }

  static constexpr net::LinkState kUp{.up = true, .mtu = 1500};
  static constexpr net::LinkState kDown{.up = false, .mtu = 1500};

  std::optional<NetworkNamespace> space_;
  Fd uplink_;  // as the supervisor keeps it
  std::optional<SwitchProcess> program_;
};

}  // namespace cede::test
