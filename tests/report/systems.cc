// SPDX-License-Identifier: Apache-2.0
#include "tests/report/systems.h"

#include <algorithm>
#include <array>

namespace cede::report {
namespace {

struct Known {
  std::string_view system;
  std::string_view name;
  Tone tone;
};

constexpr std::array<Known, 28> kKnown = {{
    // disks
    {"raw", "raw io_uring", Tone::Floor},
    {"library", "Cede library", Tone::Cede},
    {"endpoint", "Cede endpoint", Tone::CedeToo},
    {"qsd-threads", "QSD threads", Tone::PeerToo},
    {"qsd-io_uring", "QSD io_uring", Tone::Peer},
    {"qemu-storage-daemon", "QSD", Tone::Peer},
    // networks
    {"cede", "Cede", Tone::Cede},
    {"bridge", "Linux bridge", Tone::Floor},
    {"vde", "vde_switch", Tone::Peer},
    {"net_vhost", "DPDK net_vhost", Tone::PeerToo},
    {"dpdk-net_vhost", "DPDK net_vhost", Tone::PeerToo},
    {"dpdk-net-vhost", "DPDK net_vhost", Tone::PeerToo},
    {"three-spin", "three spinning", Tone::PeerThree},
    // kinds of drivers
    {"process", "process", Tone::Cede},
    {"vm", "VM", Tone::CedeToo},
    {"broker", "broker", Tone::Cede},
    // rings
    {"xen", "Xen", Tone::Peer},
    {"dpdk", "DPDK", Tone::PeerToo},
    {"boost", "Boost", Tone::PeerThree},
    {"virtio", "virtio", Tone::PeerFour},
    {"sequenced", "sequenced", Tone::CedeToo},
    {"floor", "floor", Tone::Floor},
    // memory policies
    {"donated", "Cede (donated)", Tone::Cede},
    {"revocable", "revocable", Tone::PeerThree},
    {"driver-owned", "driver-owned", Tone::PeerFour},
    // before, during and after an attack
    {"before", "before", Tone::Floor},
    {"during", "during", Tone::Peer},
    {"after", "after", Tone::Floor},
}};

}  // namespace

SystemLook look_of(std::string_view system) {
  const auto known = std::ranges::find(kKnown, system, &Known::system);
  if (known == kKnown.end()) return {std::string(system), Tone::PeerThree};
  return {std::string(known->name), known->tone};
}

}  // namespace cede::report
