// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/uplink.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "driver_vm/setup_error.h"

namespace cede::driver {
namespace {

constexpr std::size_t kPacketHeader = sizeof(virtio_net_hdr);  // PACKET_VNET_HDR: no num_buffers
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kUdpOffloads = TUN_F_USO4 | TUN_F_USO6;
// Linux 6.6; younger than the headers of Debian 12.
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

[[nodiscard]] std::string reason() {
  return std::error_code(errno, std::generic_category()).message();
}

// Errors of an interface that is away, or of a TAP that is not set up (EIO) or no more (EBADFD).
[[nodiscard]] bool is_away(int error) noexcept {
  return error == ENETDOWN || error == ENXIO || error == ENODEV || error == EIO || error == EBADFD;
}

void set_option(int fd, int option, int value, const std::string& what) {
  if (::setsockopt(fd, SOL_PACKET, option, &value, sizeof value) != 0) {
    throw SetupError("--uplink-fd: " + what + ": " + reason());
  }
}

}  // namespace

Uplink::Uplink(Fd fd, Kind kind, std::string name, EventLoop& loop)
    : fd_(std::move(fd)),
      kind_(kind),
      name_(std::move(name)),
      loop_(loop),
      header_bytes_(kind == Kind::Tap ? sizeof(net::Header) : kPacketHeader),
      buffer_(net::kMaxFrame) {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw SetupError("--uplink-fd: cannot be made non-blocking: " + reason());
  }
  if (kind == Kind::Tap) {
    adopt_tap();
  } else {
    adopt_packet_socket();
  }
}

void Uplink::adopt_tap() {
  ifreq request{};
  if (::ioctl(fd_.get(), TUNGETIFF, &request) != 0) {
    if (errno == EBADFD) {
      // Who makes it anew sets it up, too.
      offloads_ &= ~net::Offload::kUso;
      return failed(EBADFD);
    }
    throw SetupError("--uplink-fd: not the queue of a TAP: " + reason());
  }
  constexpr int kWanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if ((request.ifr_flags & kWanted) != kWanted) {
    throw SetupError("--uplink-fd: the TAP needs IFF_TAP, IFF_NO_PI and IFF_VNET_HDR");
  }
  if (name_.empty()) name_ = request.ifr_name;
  const int header = sizeof(net::Header);
  const auto set_offloads = [&](unsigned flags) {
    return ::ioctl(fd_.get(), TUNSETOFFLOAD, flags) == 0;
  };
  // A kernel that leaves UDP's segments undone takes them, too.
  const bool segments_udp = set_offloads(kOffloads | kUdpOffloads);
  if (!segments_udp) offloads_ &= ~net::Offload::kUso;
  if (::ioctl(fd_.get(), TUNSETVNETHDRSZ, &header) != 0 ||
      !(segments_udp || set_offloads(kOffloads))) {
    throw SetupError("--uplink-fd: the TAP takes no virtio header or no offloads: " + reason());
  }
}

void Uplink::adopt_packet_socket() {
  set_option(fd_.get(), PACKET_VNET_HDR, 1, "no packet socket that carries virtio's header");
  set_option(fd_.get(), PACKET_AUXDATA, 1, "no VLAN tags from this socket");
  set_option(fd_.get(), PACKET_IGNORE_OUTGOING, 1, "cannot tell frames apart by direction");
  // Linux takes UDP's segments from 6.2 on, and nothing but a frame would show that. Whoever knows
  // this option is younger still.
  int size = 0;
  socklen_t bytes = sizeof size;
  if (::getsockopt(fd_.get(), SOL_PACKET, PACKET_VNET_HDR_SZ, &size, &bytes) != 0) {
    offloads_ &= ~net::Offload::kUso;
  }
  sockaddr_ll address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      address.sll_ifindex == 0) {
    throw SetupError("--uplink-fd: a packet socket that was bound to no interface");
  }
  if (!present()) failed(ENETDOWN);
}

DeviceCalls Uplink::calls(Kind kind) {
  if (kind == Kind::Packet) return {.calls = {SCMP_SYS(writev)}, .with_argument = {}};
  return {.calls = {SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(poll)}, .with_argument = {}};
}

void Uplink::start() {
  watch();
}

void Uplink::watch() {
  loop_.watch(fd_.get(), *this);
  watched_ = true;
}

void Uplink::complete(std::int32_t /*result*/, bool more) {
  readable_ = true;
  watched_ = more;
  // While it is away, the next watch could end as soon as it begins.
  if (!watched_ && up_) watch();
}

Uplink::Sent Uplink::write(const net::Header& header, const Pieces& pieces) noexcept {
  if (!up_) return Sent::Down;
  net::Header copy = header;
  iovec parts[1 + std::tuple_size_v<Pieces>] = {{&copy, header_bytes_}};
  std::size_t count = 1;
  for (const auto& piece : pieces) {
    // The kernel only reads it.
    if (!piece.empty()) parts[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
  }
  // For a packet socket, too: a call that can name no interface is all that the sandbox has.
  if (::writev(fd_.get(), parts, static_cast<int>(count)) >= 0) return Sent::Ok;
  if (is_away(errno)) {
    failed(errno);
    return Sent::Down;
  }
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
      return Sent::Full;
    default:
      return Sent::Refused;
  }
}

std::span<const std::byte> Uplink::read(net::Header& header) noexcept {
  if (!readable()) return {};
  // Room for a tag between the addresses and the rest, where the kernel has taken it out.
  iovec parts[] = {{&received_, header_bytes_}, {buffer_.data(), buffer_.size() - kTagBytes}};
  alignas(cmsghdr) std::byte control[CMSG_SPACE(sizeof(tpacket_auxdata))] = {};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = kind_ == Kind::Tap ? ::readv(fd_.get(), parts, 2)
                                         : ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
  if (got < 0) {
    if (errno == EAGAIN) {
      readable_ = false;
    } else if (errno != EINTR && errno != EINVAL) {  // EINVAL: a frame that has no virtio header
      failed(errno);
    }
    return {};
  }
  if (static_cast<std::size_t>(got) <= header_bytes_) return {};
  std::size_t length = static_cast<std::size_t>(got) - header_bytes_;
  if (kind_ == Kind::Packet) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA) {
        length = restore_tag(CMSG_DATA(part), length);
      }
    }
  }
  header = received_;
  header.num_buffers = 0;
  return {buffer_.data(), length};
}

std::size_t Uplink::restore_tag(const void* auxiliary, std::size_t length) noexcept {
  constexpr std::size_t kAddressBytes = 12;
  tpacket_auxdata data;
  std::memcpy(&data, auxiliary, sizeof data);
  if ((data.tp_status & TP_STATUS_VLAN_VALID) == 0 || length < kAddressBytes) return length;
  const std::uint16_t type =
      (data.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? data.tp_vlan_tpid : EtherType::kVlan;
  const std::uint16_t tag[] = {swap16(type), swap16(data.tp_vlan_tci)};
  std::byte* const place = buffer_.data() + kAddressBytes;
  std::memmove(place + kTagBytes, place, length - kAddressBytes);
  std::memcpy(place, tag, sizeof tag);
  if ((received_.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
    received_.csum_start = static_cast<std::uint16_t>(received_.csum_start + kTagBytes);
  if (received_.hdr_len != 0)
    received_.hdr_len = static_cast<std::uint16_t>(received_.hdr_len + kTagBytes);
  return length + kTagBytes;
}

void Uplink::failed(int error) noexcept {
  if (!up_) return;
  up_ = false;
  retry_at_ = monotonic_now() + kRetry;
  spdlog::warn("uplink {} is down: {}; looking for it every second", name_,
               std::error_code(error, std::generic_category()).message());
}

void Uplink::probe(Instant now) {
  if (now < retry_at_) return;
  retry_at_ = now + kRetry;
  if (!present()) return;
  spdlog::info("uplink {} is up again", name_);
  up_ = true;
  readable_ = true;
  retry_at_ = kNever;
  if (!watched_) watch();
}

bool Uplink::present() const noexcept {
  if (kind_ == Kind::Tap) {
    // It can be written to while it is set up, and reports an error while there is none.
    pollfd state{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLERR | POLLOUT)) == POLLOUT;
  }
  // An error that is left of its absence would be taken for a new one.
  (void)::recv(fd_.get(), nullptr, 0, MSG_PEEK | MSG_DONTWAIT);
  // No frame: too short for its header. But the kernel looks for the interface first.
  std::byte stub{};
  const iovec part{&stub, sizeof stub};
  return ::writev(fd_.get(), &part, 1) < 0 && errno == EINVAL;
}

}  // namespace cede::driver
