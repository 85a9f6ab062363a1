// SPDX-License-Identifier: Apache-2.0
// Which port an address is behind: what ports were given, for good, and what was learned.
//
// Bounded, and fair: each port learns up to its quota, and evicts its own addresses when it learns
// more. The table has room for every quota twice over and is hashed with a secret, so no choice of
// addresses takes a place, or a short search, from another port. An address that was given never
// moves. One that was learned moves to another port only after it has been silent for kHold, so
// two ports that both claim it do not make it flap.
//
// Pure; time comes in as an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "driver_vm/clock.h"
#include "driver_vm/net/frame.h"

namespace cede::driver {

class AddressTable {
 public:
  using PortNumber = std::uint16_t;
  static constexpr Duration kAge = 300 * kSecond;  // IEEE 802.1Q, 8.8.3
  static constexpr Duration kHold = kSecond;

  // `quotas`: how many addresses each port may learn. `given`: how many give() will add.
  AddressTable(std::vector<std::uint32_t> quotas, std::size_t given, std::uint64_t secret);

  // At set-up, at most as often as announced. False: the address was given to another port.
  bool give(Mac mac, std::uint16_t vlan, PortNumber port);
  void learn(Mac mac, std::uint16_t vlan, PortNumber port, Instant now) noexcept;
  [[nodiscard]] std::optional<PortNumber> find(Mac mac, std::uint16_t vlan,
                                               Instant now) const noexcept {
    const Slot& slot = slots_[place_of(key_of(mac, vlan))];
    if (slot.key == kNoKey || (slot.seen != kGiven && now - slot.seen > kAge)) return std::nullopt;
    return slot.port;
  }
  // The port's learned addresses.
  void forget(PortNumber port) noexcept;
  [[nodiscard]] std::size_t learned(PortNumber port) const noexcept {
    return learned_[port].keys.size();
  }

 private:
  using Key = std::uint64_t;
  static constexpr Key kNoKey = UINT64_MAX;
  static constexpr Instant kGiven = UINT64_MAX;

  struct Slot {
    Key key = kNoKey;
    Instant seen = 0;  // or kGiven
    PortNumber port = 0;
    std::uint32_t rank = 0;  // in its port's list
  };
  struct Learned {
    std::uint32_t quota = 0;
    std::uint32_t next_victim = 0;
    std::vector<Key> keys;
  };

  [[nodiscard]] static constexpr Key key_of(Mac mac, std::uint16_t vlan) noexcept {
    return mac | Key{vlan} << 48;
  }
  [[nodiscard]] std::size_t home_of(Key key) const noexcept;
  // Of the key, or of the empty slot where it would go.
  [[nodiscard]] std::size_t place_of(Key key) const noexcept {
    std::size_t place = home_of(key);
    while (slots_[place].key != key && slots_[place].key != kNoKey) place = (place + 1) & mask_;
    return place;
  }
  void insert(Key key, PortNumber port, Instant seen) noexcept;
  void erase(Key key) noexcept;

  std::vector<Slot> slots_;
  std::size_t mask_;
  std::uint64_t secret_;
  std::vector<Learned> learned_;
};

inline std::size_t AddressTable::home_of(Key key) const noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{key ^ secret_} * (secret_ | 1);
  return static_cast<std::size_t>(static_cast<std::uint64_t>(product) ^
                                  static_cast<std::uint64_t>(product >> 64)) &
         mask_;
}

}  // namespace cede::driver
