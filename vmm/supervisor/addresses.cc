// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/addresses.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace cede::supervisor {
namespace {

// The whole of `text` as a number in `base`.
template <class T>
std::optional<T> number(std::string_view text, int base) noexcept {
  T value{};
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value, base);
  if (error != std::errc() || end != last) return std::nullopt;
  return value;
}

}  // namespace

std::optional<net::MacAddress> parse_mac(std::string_view text) noexcept {
  constexpr std::size_t kTextBytes = 17;
  if (text.size() != kTextBytes) return std::nullopt;
  net::MacAddress mac;
  for (std::size_t i = 0; i < sizeof mac.bytes; ++i) {
    if (i > 0 && text[3 * i - 1] != ':') return std::nullopt;
    const auto byte = number<std::uint8_t>(text.substr(3 * i, 2), 16);
    if (!byte) return std::nullopt;
    mac.bytes[i] = *byte;
  }
  return mac;
}

std::string format_mac(const net::MacAddress& mac) {
  return fmt::format("{:02x}", fmt::join(mac.bytes, ":"));
}

net::MacAddress derived_mac(std::string_view name) noexcept {
  // FNV-1a: the result has to be the same in every version of Cede, and keeps nobody out.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  net::MacAddress mac;
  for (std::uint8_t& byte : mac.bytes) {
    byte = static_cast<std::uint8_t>(hash);
    hash >>= 8;
  }
  constexpr std::uint8_t kLocal = 2;
  constexpr std::uint8_t kMulticast = 1;
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] | kLocal) & ~kMulticast);
  return mac;
}

std::optional<Ipv4> parse_ipv4(std::string_view text) noexcept {
  Ipv4 address;
  std::array<char, INET_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  text.copy(terminated.data(), text.size());
  if (::inet_pton(AF_INET, terminated.data(), address.data()) != 1) return std::nullopt;
  return address;
}

std::string format_ipv4(const Ipv4& address) {
  return fmt::format("{}", fmt::join(address, "."));
}

std::optional<InterfaceAddress> parse_interface_address(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, slash));
  const auto prefix = number<std::uint8_t>(text.substr(slash + 1), 10);
  if (!address || !prefix || *prefix < 1 || *prefix > 32) return std::nullopt;
  return InterfaceAddress{*address, *prefix};
}

bool valid_interface_name(std::string_view name) noexcept {
  const auto word = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && std::isalnum(byte) != 0;
  };
  return !name.empty() && name.size() < IFNAMSIZ && word(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return word(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace cede::supervisor
