// SPDX-License-Identifier: Apache-2.0
// What a driver VM's host shim and the driver in its guest say to each other.
//
// Carrier: the virtio-serial port kDriverVmPort, a stream of whole VmPackets in both directions.
// The guest is the only writer of its end, but not trusted: the shim takes a packet for no more
// than a wish, and passes on to the broker only what the session it names may say just then.
//
//   guest -> shim   Hello          first, once: the driver runs and may be offered sessions
//                   Control        a message for the broker: Mapped, Refuse, Close or Release
//                   HoldKicks      no kick of `port` for `microseconds`: what it announced was not
//                                  there (protocols/bell_guard.h)
//   shim -> guest   Control        a message from the broker: Offer, Connected, Closing or Closed
//
// The messages are those of the capability socket (protocols/control.h), with tag 0 and without
// Replies. An Offer has no descriptors here: `port` stands for all three. The region is BAR 2 of
// the device behind root port `port`; bell `port` is kick and call (protocols/ivshmem.h). The
// device is plugged when the Offer is sent, but the guest's kernel may need a moment to find it.
//
// A session's port is its own from Offer until the guest has said Release (or Refuse): by then the
// guest has unmapped the region and disabled the device. Release is also the answer to an Offer
// whose session was closed before it was answered. The shim then unplugs the device, and only when
// QEMU has let the region go does it give the broker the driver's word.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "protocols/control.h"

namespace cede {

inline constexpr std::string_view kDriverVmPort = "cede.sessions";

struct VmPacket {
  // Of this version of all that shim and guest have to agree on: the packets and their messages,
  // and what is in the regions (protocols/ring.h, block.h, net.h). A guest's image may be older.
  static constexpr std::uint32_t kMagic = 0xced50002;
  enum class Kind : std::uint32_t { Hello = 1, Control = 2, HoldKicks = 3 };

  std::uint32_t magic = kMagic;
  Kind kind{};
  std::uint32_t port = 0;          // Offer, HoldKicks
  std::uint32_t microseconds = 0;  // HoldKicks
  Message message{};               // Control
};
static_assert(std::is_trivially_copyable_v<VmPacket> && sizeof(VmPacket) == 208);

}  // namespace cede
