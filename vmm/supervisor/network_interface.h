// SPDX-License-Identifier: Apache-2.0
// Network interfaces of the kernel's, as the supervisor makes and opens them for its domains: TAPs
// and packet sockets. What fails throws std::system_error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "protocols/posix/fd.h"
#include "protocols/posix/packet_socket.h"
#include "vmm/supervisor/addresses.h"

namespace cede::supervisor {

[[nodiscard]] bool is_network_namespace(const std::filesystem::path& path) noexcept;
// Does `work` in the network namespace of that path, in a thread of its own that ends with it; in
// ours if the path is empty. What `work` throws comes out here.
void in_namespace(const std::filesystem::path& netns, const std::function<void()>& work);
// The same, by a descriptor: a path may name another namespace tomorrow. Empty: ours.
void in_namespace(const Fd& netns, const std::function<void()>& work);
[[nodiscard]] Fd open_namespace(const std::filesystem::path& netns);

// Of an interface in this namespace; nothing where there is none.
[[nodiscard]] std::optional<std::uint32_t> interface_index(const std::string& name) noexcept;
[[nodiscard]] std::optional<std::uint64_t> interface_mtu(const std::string& name) noexcept;

struct TapOptions {
  std::string name;
  std::uint64_t queues = 1;
  std::uint64_t mtu = 0;
  std::optional<net::MacAddress> mac;  // nothing: the kernel's choice
  std::optional<InterfaceAddress> address;
};

// Makes the interface in this namespace and brings it up. It takes and gives frames behind a
// net::Header, with checksums and segments left to us (IFF_VNET_HDR, all Offload bits), without
// blocking, and is gone when the last descriptor of it is closed. EBUSY: there is one of that name.
[[nodiscard]] std::vector<Fd> open_tap(const TapOptions& options);
// The interface was removed, and this descriptor of a queue lives.
[[nodiscard]] bool tap_is_lost(int fd) noexcept;
// Makes the interface of a lost TAP anew, behind the descriptors that it had: whoever has them open
// as well goes on with them. To be called in the namespace of the TAP. EBUSY: as for open_tap().
void restore_tap(std::span<const Fd> queues, const TapOptions& options);

// Of a packet socket (protocols/posix/packet_socket.h). The interface was removed: it takes and
// gives nothing until it is restored.
[[nodiscard]] bool packet_socket_is_lost(int fd) noexcept;
// Binds it to the interface that has the name now. ENODEV: there is none.
void restore_packet_socket(int fd, const std::string& interface);

// Readable when some interface of this namespace has changed; drain_link_changes() makes it quiet.
[[nodiscard]] Fd watch_links();
void drain_link_changes(int fd) noexcept;

}  // namespace cede::supervisor
