// SPDX-License-Identifier: Apache-2.0
// What each program is started with, worked out from the description alone.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vmm/supervisor/description.h"

namespace cede::supervisor {

// A client's device on its driver: the driver knows it by number, the client by name.
struct Attachment {
  std::size_t driver = 0;    // in System::drivers
  std::size_t client = 0;    // in System::clients
  std::size_t device = 0;    // in Client::devices
  std::uint32_t number = 0;  // on the driver
};

// All attachments, numbered in the order of the description. The system has passed check_system().
[[nodiscard]] std::vector<Attachment> plan_attachments(const System& system);

// The socket that a device's VM connects to.
[[nodiscard]] std::filesystem::path socket_path(const Device& device,
                                                const std::filesystem::path& client_directory);

// Where the client of a device finds it: "for QEMU at PATH", "as TAP alice0 in PATH".
[[nodiscard]] std::string endpoint_text(const Device& device,
                                        const std::filesystem::path& client_directory);

// One --export argument of cede-driver.
[[nodiscard]] std::string export_argument(const System& system, const Attachment& attachment);
// One --port argument of cede-switch.
[[nodiscard]] std::string port_argument(const System& system, const Attachment& attachment);
// One --device argument of cede-frontend. `taps` are the descriptors of a TAP's queues.
[[nodiscard]] std::string device_argument(const Device& device, const std::filesystem::path& socket,
                                          const std::vector<int>& taps);

// Of any program: its sessions' descriptors, and more.
inline constexpr rlim_t kOpenFiles = 4096;

// What a driver's sessions have for regions, all of them connected.
[[nodiscard]] std::uint64_t region_bytes(const System& system, std::size_t driver);
// How much memory the driver may lock: its sessions' regions, old and new ones for a moment
// together, and its own rings.
[[nodiscard]] std::uint64_t locked_bytes(const System& system, std::size_t driver);

// Of the switches, by their drivers' names.
using Mtus = std::map<std::string, std::uint64_t, std::less<>>;

// A stock QEMU that boots the client's devices; the paths are the caller's to choose.
struct VmPaths {
  std::filesystem::path kernel;
  std::filesystem::path initrd;
  std::filesystem::path run_directory;
};
[[nodiscard]] std::vector<std::string> vm_arguments(const Client& client, const Vm& vm,
                                                    const VmPaths& paths,
                                                    const std::filesystem::path& client_directory,
                                                    const Mtus& mtus);

// The arguments that attach a QEMU of the user's own to a client's devices: its memory has to be
// shared, and each device is a chardev and a vhost-user-blk-pci or virtio-net-pci. For
// `legacy_interrupts` see qemu::crashes_on_msix().
[[nodiscard]] std::vector<std::string> attach_arguments(
    const Client& client, const std::filesystem::path& client_directory, const Mtus& mtus,
    bool legacy_interrupts);

// Arguments as one line for a shell.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& arguments);

}  // namespace cede::supervisor
