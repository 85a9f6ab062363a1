// SPDX-License-Identifier: Apache-2.0
// How a driver VM has its sessions: what its host and the driver in it agree on beforehand.
//
// Bells: one ivshmem-doorbell device of QEMU's for all sessions, there for the VM's whole life
// (QEMU's docs/specs/ivshmem-spec, revision 1). Session n has bell n in both directions: the guest
// rings its client by writing doorbell_to_client(n) to the register kIvshmemDoorbell of BAR 0; the
// client's kick arrives as MSI-X vector n. Neither is ever acknowledged. BAR 2 of the device is for
// the driver's counters, a StatsPage (protocols/stats.h), if it is large enough.
//
// Regions: one ivshmem-plain device for each session, plugged behind the root port of the same
// number; BAR 2 is the region.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cede {

inline constexpr std::uint16_t kIvshmemVendor = 0x1af4;
inline constexpr std::uint16_t kIvshmemDevice = 0x1110;

inline constexpr std::size_t kIvshmemPosition = 8;   // u32 register of BAR 0, read-only: who am I
inline constexpr std::size_t kIvshmemDoorbell = 12;  // u32 register of BAR 0, write-only

// Peers on the bell device, in ivshmem's words: there are always these two.
inline constexpr std::uint16_t kIvshmemGuest = 0;
inline constexpr std::uint16_t kIvshmemClients = 1;

inline constexpr unsigned kMaxBells = 64;

[[nodiscard]] constexpr std::uint32_t doorbell_to_client(unsigned bell) noexcept {
  return std::uint32_t{kIvshmemClients} << 16 | bell;
}

// Port n is function n % 8 of the PCI device 0000:00:(0x10 + n / 8).
inline constexpr unsigned kFirstPortSlot = 0x10;
inline constexpr unsigned kPortsPerSlot = 8;

}  // namespace cede
