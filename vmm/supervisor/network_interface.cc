// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/network_interface.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>

#include "protocols/virtio_net.h"

namespace cede::supervisor {
namespace {

// Messages about links that are thrown away at once; there may be somebody who makes them for ever.
constexpr int kMostChanges = 1024;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}
void check(int result, const char* what) {
  if (result < 0) fail(what);
}

ifreq request(const std::string& name) {
  ifreq result{};
  name.copy(static_cast<char*>(result.ifr_name), IFNAMSIZ - 1);
  return result;
}

Fd control_socket() {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("cannot open a socket");
  return socket;
}

void set_mac(int control, const std::string& name, const net::MacAddress& mac) {
  ifreq change = request(name);
  change.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(static_cast<char*>(change.ifr_hwaddr.sa_data), mac.bytes, sizeof mac.bytes);
  check(::ioctl(control, SIOCSIFHWADDR, &change), "cannot set the MAC address");
}

void set_ipv4(int control, unsigned long what, const std::string& name, std::uint32_t value) {
  ifreq change = request(name);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = value;
  std::memcpy(&change.ifr_addr, &address, sizeof address);
  check(::ioctl(control, what, &change), "cannot set the IPv4 address");
}

void set_address(int control, const std::string& name, const InterfaceAddress& address) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, address.address.data(), sizeof bytes);
  set_ipv4(control, SIOCSIFADDR, name, bytes);
  set_ipv4(control, SIOCSIFNETMASK, name, htonl(~0U << (32 - address.prefix)));
}

void bring_up(const TapOptions& options) {
  const Fd control = control_socket();
  ifreq change = request(options.name);
  change.ifr_mtu = static_cast<int>(options.mtu);
  check(::ioctl(control.get(), SIOCSIFMTU, &change), "cannot set the MTU");
  if (options.mac) set_mac(control.get(), options.name, *options.mac);
  change = request(options.name);
  check(::ioctl(control.get(), SIOCGIFFLAGS, &change), "cannot read the flags");
  change.ifr_flags = static_cast<short>(change.ifr_flags | IFF_UP);
  check(::ioctl(control.get(), SIOCSIFFLAGS, &change), "cannot bring it up");
  if (options.address) set_address(control.get(), options.name, *options.address);
}

void attach_queue(int fd, const std::string& name, int flags) {
  ifreq tap = request(name);
  // The kernel has these flags in a short.
  tap.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags);
  check(::ioctl(fd, TUNSETIFF, &tap), "cannot make a TAP");
  int header = sizeof(net::Header);
  check(::ioctl(fd, TUNSETVNETHDRSZ, &header), "cannot set the header's size");
  int little_endian = 1;
  check(::ioctl(fd, TUNSETVNETLE, &little_endian), "cannot set the header's byte order");
  constexpr unsigned long kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // Linux 6.2 and later leave UDP's segments undone, too.
  if (::ioctl(fd, TUNSETOFFLOAD, kOffloads | TUN_F_USO4 | TUN_F_USO6) != 0) {
    check(::ioctl(fd, TUNSETOFFLOAD, kOffloads), "cannot set the offloads");
  }
}

}  // namespace

bool is_network_namespace(const std::filesystem::path& path) noexcept {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd && ::ioctl(fd.get(), NS_GET_NSTYPE) == CLONE_NEWNET;
}

Fd open_namespace(const std::filesystem::path& netns) {
  Fd fd(::open(netns.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fail("cannot open the network namespace");
  return fd;
}

void in_namespace(const std::filesystem::path& netns, const std::function<void()>& work) {
  in_namespace(netns.empty() ? Fd() : open_namespace(netns), work);
}

void in_namespace(const Fd& netns, const std::function<void()>& work) {
  if (!netns) {
    work();
    return;
  }
  std::exception_ptr failure;
  std::thread([&] {
    try {
      check(::setns(netns.get(), CLONE_NEWNET), "cannot enter the network namespace");
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

std::optional<std::uint32_t> interface_index(const std::string& name) noexcept {
  const std::uint32_t index = ::if_nametoindex(name.c_str());
  return index == 0 ? std::nullopt : std::optional(index);
}

std::optional<std::uint64_t> interface_mtu(const std::string& name) noexcept {
  const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq answer = request(name);
  if (!control || ::ioctl(control.get(), SIOCGIFMTU, &answer) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(answer.ifr_mtu);
}

std::vector<Fd> open_tap(const TapOptions& options) {
  std::vector<Fd> queues;
  const int several = options.queues > 1 ? IFF_MULTI_QUEUE : 0;
  for (std::uint64_t i = 0; i < options.queues; ++i) {
    Fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd) fail("cannot open /dev/net/tun");
    attach_queue(fd.get(), options.name, several | (i == 0 ? IFF_TUN_EXCL : 0));
    queues.push_back(std::move(fd));
  }
  bring_up(options);
  return queues;
}

bool tap_is_lost(int fd) noexcept {
  ifreq answer{};
  return ::ioctl(fd, TUNGETIFF, &answer) != 0;
}

void restore_tap(std::span<const Fd> queues, const TapOptions& options) {
  const auto is_lost = [](const Fd& queue) { return tap_is_lost(queue.get()); };
  const int several = queues.size() > 1 ? IFF_MULTI_QUEUE : 0;
  // An attempt that failed halfway has left some attached.
  bool first = std::all_of(queues.begin(), queues.end(), is_lost);
  for (const Fd& queue : queues) {
    if (!is_lost(queue)) continue;
    attach_queue(queue.get(), options.name, several | (first ? IFF_TUN_EXCL : 0));
    first = false;
  }
  bring_up(options);
}

bool packet_socket_is_lost(int fd) noexcept {
  sockaddr_ll address{};
  socklen_t length = sizeof address;
  // The kernel's mark for an interface that has gone is -1.
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
         address.sll_ifindex <= 0;
}

void restore_packet_socket(int fd, const std::string& interface) {
  bind_packet_socket(fd, interface);
}

Fd watch_links() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot watch the network interfaces");
  }
  return fd;
}

void drain_link_changes(int fd) noexcept {
  // An overrun says that there was more, which is all that we ask.
  std::array<char, 4096> ignored;
  for (int i = 0; i < kMostChanges; ++i) {
    if (::recv(fd, ignored.data(), ignored.size(), MSG_TRUNC) <= 0 && errno != ENOBUFS) return;
  }
}

}  // namespace cede::supervisor
