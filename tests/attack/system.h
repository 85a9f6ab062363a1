// SPDX-License-Identifier: Apache-2.0
// What is attacked: Cede under one of its three memory policies, or a peer, which serves vhost-user
// and sees the whole memory of each client.
#pragma once

#include <array>
#include <string_view>

namespace cede::attack {

enum class System {
  Donated,            // clients give pages up, and cannot take them back
  Revocable,          // clients' pages stay theirs; a driver that faults cuts the client off
  DriverOwned,        // the driver's pages
  QemuStorageDaemon,  // its vhost-user-blk exports
  DpdkNetVhost,       // a vhost-user-net port of a testpmd, which joins the victims by others
};

inline constexpr std::array<std::string_view, 5> kSystemNames{
    "donated", "revocable", "driver-owned", "qemu-storage-daemon", "dpdk-net-vhost"};

[[nodiscard]] constexpr std::string_view to_string(System system) noexcept {
  return kSystemNames[static_cast<std::size_t>(system)];
}

[[nodiscard]] constexpr bool is_peer(System system) noexcept {
  return system == System::QemuStorageDaemon || system == System::DpdkNetVhost;
}
// What the victims have there.
[[nodiscard]] constexpr bool has_disk(System system) noexcept {
  return system != System::DpdkNetVhost;
}
[[nodiscard]] constexpr bool has_network(System system) noexcept {
  return system != System::QemuStorageDaemon;
}

}  // namespace cede::attack
