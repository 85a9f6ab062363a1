// SPDX-License-Identifier: Apache-2.0
// A packet socket that is a switch's uplink. For set-up: what fails throws std::system_error.
#pragma once

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "protocols/posix/fd.h"

namespace cede {

namespace detail {
inline void check_packet_socket(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}
}  // namespace detail

// Binds it to the interface of this namespace that has the name now, and makes that promiscuous.
// ENODEV: there is none.
inline void bind_packet_socket(int fd, const std::string& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) {
    errno = ENODEV;
    detail::check_packet_socket(-1, "no such interface");
  }
  detail::check_packet_socket(
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "cannot bind");
  packet_mreq all{};
  all.mr_ifindex = address.sll_ifindex;
  all.mr_type = PACKET_MR_PROMISC;
  detail::check_packet_socket(::setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all),
                              "cannot make it promiscuous");
}

// A socket for all frames that come in by an interface of this namespace (AF_PACKET), behind a
// virtio_net_hdr of 10 bytes, without blocking. ENODEV: there is no such interface.
[[nodiscard]] inline Fd open_packet_socket(const std::string& interface) {
  constexpr int kOn = 1;
  constexpr int kBuffer = 4 << 20;  // each way; the kernel's 208 KiB hold three long segments
  // Bound to no protocol, and so deaf, until all is set.
  Fd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  detail::check_packet_socket(fd.get(), "cannot open a packet socket");
  const auto set = [&](int level, int option, int value, const char* what) {
    detail::check_packet_socket(::setsockopt(fd.get(), level, option, &value, sizeof value), what);
  };
  set(SOL_PACKET, PACKET_VNET_HDR, kOn, "cannot use virtio headers");
  set(SOL_PACKET, PACKET_IGNORE_OUTGOING, kOn, "cannot leave out what the host sends");
  set(SOL_SOCKET, SO_RCVBUFFORCE, kBuffer, "cannot enlarge the receive buffer");
  set(SOL_SOCKET, SO_SNDBUFFORCE, kBuffer, "cannot enlarge the send buffer");
  bind_packet_socket(fd.get(), interface);
  return fd;
}

}  // namespace cede
