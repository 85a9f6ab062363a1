// SPDX-License-Identifier: Apache-2.0
// Network addresses and interface names as people write them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/net.h"

namespace cede::supervisor {

using Ipv4 = std::array<std::uint8_t, 4>;

// An IPv4 address and its network, as an interface is given it.
struct InterfaceAddress {
  Ipv4 address{};
  std::uint8_t prefix = 0;  // bits of the network, 1 to 32

  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

// "52:54:00:12:34:56". Any address is well-formed: whether it can be a port's is for checks.h.
[[nodiscard]] std::optional<net::MacAddress> parse_mac(std::string_view text) noexcept;
[[nodiscard]] std::string format_mac(const net::MacAddress& mac);
// An address of one's own for whatever has this name: the same each time, locally administered.
[[nodiscard]] net::MacAddress derived_mac(std::string_view name) noexcept;

// "10.0.0.2"
[[nodiscard]] std::optional<Ipv4> parse_ipv4(std::string_view text) noexcept;
[[nodiscard]] std::string format_ipv4(const Ipv4& address);
// "10.0.0.2/24"
[[nodiscard]] std::optional<InterfaceAddress> parse_interface_address(
    std::string_view text) noexcept;

// 1 to 15 letters, digits, '-', '_' and '.', beginning with a letter or digit. The kernel takes
// more, but such a name needs no quoting, and is no pattern for it to fill in ("tap%d").
[[nodiscard]] bool valid_interface_name(std::string_view name) noexcept;

}  // namespace cede::supervisor
