// SPDX-License-Identifier: Apache-2.0
#include "driver_vm/net/address_table.h"

#include <bit>
#include <numeric>
#include <utility>

namespace cede::driver {

AddressTable::AddressTable(std::vector<std::uint32_t> quotas, std::size_t given,
                           std::uint64_t secret)
    : secret_(secret) {
  const std::size_t entries = std::accumulate(quotas.begin(), quotas.end(), given);
  slots_.resize(std::bit_ceil(2 * entries + 2));
  mask_ = slots_.size() - 1;
  for (const std::uint32_t quota : quotas) {
    learned_.push_back({.quota = quota, .next_victim = 0, .keys = {}});
    learned_.back().keys.reserve(quota);
  }
}

bool AddressTable::give(Mac mac, std::uint16_t vlan, PortNumber port) {
  const Key key = key_of(mac, vlan);
  Slot& slot = slots_[place_of(key)];
  if (slot.key == key) return slot.port == port;
  slot = {.key = key, .seen = kGiven, .port = port, .rank = 0};
  return true;
}

void AddressTable::learn(Mac mac, std::uint16_t vlan, PortNumber port, Instant now) noexcept {
  const Key key = key_of(mac, vlan);
  Slot& slot = slots_[place_of(key)];
  if (slot.key == key) {
    if (slot.seen == kGiven) return;
    if (slot.port == port) {
      slot.seen = now;
      return;
    }
    if (now - slot.seen < kHold) return;
    erase(key);
  }
  Learned& learned = learned_[port];
  if (learned.quota == 0) return;
  if (learned.keys.size() == learned.quota) {
    erase(learned.keys[learned.next_victim++ % learned.quota]);
  }
  insert(key, port, now);
}

void AddressTable::forget(PortNumber port) noexcept {
  while (!learned_[port].keys.empty()) erase(learned_[port].keys.back());
}

void AddressTable::insert(Key key, PortNumber port, Instant seen) noexcept {
  std::vector<Key>& keys = learned_[port].keys;
  slots_[place_of(key)] = {
      .key = key, .seen = seen, .port = port, .rank = static_cast<std::uint32_t>(keys.size())};
  keys.push_back(key);
}

void AddressTable::erase(Key key) noexcept {
  std::size_t hole = place_of(key);
  // The last of the port's list takes the rank that falls free.
  std::vector<Key>& keys = learned_[slots_[hole].port].keys;
  const std::uint32_t rank = slots_[hole].rank;
  slots_[place_of(keys.back())].rank = rank;
  keys[rank] = keys.back();
  keys.pop_back();
  // Whatever was placed further on because of this slot moves up (Knuth, 6.4, algorithm R).
  slots_[hole] = Slot{};
  for (std::size_t at = (hole + 1) & mask_; slots_[at].key != kNoKey; at = (at + 1) & mask_) {
    const std::size_t home = home_of(slots_[at].key);
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    slots_[hole] = std::exchange(slots_[at], Slot{});
    hole = at;
  }
}

}  // namespace cede::driver
