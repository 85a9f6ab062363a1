// SPDX-License-Identifier: Apache-2.0
#include "frontend/tap/tap_queue.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace cede::frontend {
namespace {

constexpr unsigned long kUdpOffloads = TUN_F_USO4 | TUN_F_USO6;

[[noreturn]] void fail(int fd, const std::string& why) {
  throw std::runtime_error("descriptor " + std::to_string(fd) + " is no queue of a TAP: " + why);
}

void check(int fd, int result) {
  if (result < 0) fail(fd, std::system_category().message(errno));
}

// What an error says of the interface. Anything else costs one frame: memory that is short, an
// interface that is down, a header that does not fit its frame.
TapQueue::Outcome judge(int error) noexcept {
  return error == EBADFD || error == EBADF || error == EFAULT ? TapQueue::Outcome::Gone
                                                              : TapQueue::Outcome::Dropped;
}

}  // namespace

TapQueue::TapQueue(Fd fd) : fd_(std::move(fd)) {
  const int raw = fd_.get();
  ifreq request{};
  const int flags = ::fcntl(raw, F_GETFL);
  check(raw, flags);
  check(raw, ::fcntl(raw, F_SETFL, flags | O_NONBLOCK));
  if (::ioctl(raw, TUNGETIFF, &request) != 0) {
    if (errno != EBADFD) fail(raw, std::system_category().message(errno));
    attached_ = false;
    offloads_ &= ~net::Offload::kUso;
    return;
  }
  constexpr int kKind = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  constexpr int kKinds = IFF_TUN | kKind;
  if ((request.ifr_flags & kKinds) != kKind) {
    fail(raw, std::string(request.ifr_name) +
                  " was not opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR");
  }
  int size = sizeof(net::Header);
  int little_endian = 1;
  check(raw, ::ioctl(raw, TUNSETVNETHDRSZ, &size));
  check(raw, ::ioctl(raw, TUNSETVNETLE, &little_endian));
  // A kernel that can leave UDP's segments undone takes them, too: Linux 6.2 and later.
  if (::ioctl(raw, TUNSETOFFLOAD, TUN_F_CSUM | kUdpOffloads) != 0) offloads_ &= ~net::Offload::kUso;
}

TapQueue::Outcome TapQueue::read(net::Header& header, std::span<std::byte> room,
                                 std::uint32_t& length) noexcept {
  const std::array<iovec, 2> parts{{{&header, sizeof header}, {room.data(), room.size()}}};
  const ssize_t size = ::readv(fd_.get(), parts.data(), parts.size());
  if (size < 0) return errno == EAGAIN ? Outcome::Empty : judge(errno);
  length = static_cast<std::uint32_t>(size) - static_cast<std::uint32_t>(sizeof header);
  return length < room.size() ? Outcome::Done : Outcome::Dropped;
}

TapQueue::Outcome TapQueue::write(const Frame& frame) noexcept {
  // The kernel reads what it is given; iovec knows no const.
  std::array<iovec, 1 + net::kMaxParts> parts;
  net::Header header = frame.header;
  parts[0] = {&header, sizeof header};
  for (std::size_t i = 0; i < frame.part_count; ++i) {
    parts[1 + i] = {const_cast<std::byte*>(frame.parts[i].data()), frame.parts[i].size()};
  }
  const int count = static_cast<int>(1 + frame.part_count);
  return ::writev(fd_.get(), parts.data(), count) < 0 ? judge(errno) : Outcome::Done;
}

void TapQueue::set_offloads(std::uint32_t offloads) noexcept {
  const auto has = [offloads](std::uint32_t bit) { return (offloads & bit) != 0; };
  // The kernel takes segmentation only with checksums, and ECN only with that of TCP.
  unsigned long flags = 0;
  if (has(net::Offload::kChecksum)) {
    flags = TUN_F_CSUM;
    if (has(net::Offload::kTso4)) flags |= TUN_F_TSO4;
    if (has(net::Offload::kTso6)) flags |= TUN_F_TSO6;
    if (flags != TUN_F_CSUM && has(net::Offload::kEcn)) flags |= TUN_F_TSO_ECN;
    if (has(net::Offload::kUso & offloads_)) flags |= kUdpOffloads;
  }
  (void)::ioctl(fd_.get(), TUNSETOFFLOAD, flags);
}

void TapQueue::set_carrier(bool up) noexcept {
  int carrier = up ? 1 : 0;
  (void)::ioctl(fd_.get(), TUNSETCARRIER, &carrier);
}

}  // namespace cede::frontend
