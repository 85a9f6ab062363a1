// SPDX-License-Identifier: Apache-2.0
// What is attacked: Cede under one of its three memory policies, or a peer.
#pragma once

#include <array>
#include <string_view>

namespace cede::attack {

enum class System {
  Donated,            // clients give pages up, and cannot take them back
  Revocable,          // clients' pages stay theirs; a driver that faults cuts the client off
  DriverOwned,        // the driver's pages
  QemuStorageDaemon,  // its vhost-user-blk export: the whole memory of each client, revocable
};

inline constexpr std::array<std::string_view, 4> kSystemNames{
    "donated", "revocable", "driver-owned", "qemu-storage-daemon"};

[[nodiscard]] constexpr std::string_view to_string(System system) noexcept {
  return kSystemNames[static_cast<std::size_t>(system)];
}

}  // namespace cede::attack
