// SPDX-License-Identifier: Apache-2.0
#include "tests/attack/siege.h"

#include <algorithm>
#include <string>

namespace cede::attack {
namespace {

// The reads land here and there in the first half of the region, the canary and its echo near the
// end. They are no larger than an honest neighbour's: this is not about load.
constexpr std::uint32_t kReads = 32;
constexpr std::uint32_t kApart = 16;  // pages
constexpr std::uint32_t kCanary = 1000;
constexpr std::uint32_t kEcho = 1001;
constexpr std::uint64_t kCanarySector = 0;

constexpr std::byte canary_at(std::size_t i) {
  return static_cast<std::byte>(i % 251 + 1);  // never zero: that is what a hole reads as
}

}  // namespace

Siege::Siege(Client& client) : client_(client), disk_(client.disk()) {
  const std::span<std::byte> canary = page(kCanary);
  for (std::size_t i = 0; i < canary.size(); ++i) canary[i] = canary_at(i);
}

void Siege::begin() {
  for (; in_flight_ < kReads; ++in_flight_) {
    const std::uint64_t sector = (in_flight_ + 1ULL) * kPageBytes / block::kSectorBytes;
    disk_.ring.put(disk_.request(VIRTIO_BLK_T_IN, sector, kPageBytes, in_flight_ * kApart));
  }
  disk_.publish();
}

bool Siege::holds() {
  for (; in_flight_ > 0; --in_flight_) {
    if (!succeeds("a read")) return false;
  }
  if (!shows_canary(kCanary)) return lost("the page is another one to the client");
  disk_.submit(disk_.request(VIRTIO_BLK_T_OUT, kCanarySector, kPageBytes, kCanary));
  if (!succeeds("the write of the canary")) return false;
  std::ranges::fill(page(kEcho), std::byte{0});
  disk_.submit(disk_.request(VIRTIO_BLK_T_IN, kCanarySector, kPageBytes, kEcho));
  if (!succeeds("the read of the canary")) return false;
  return shows_canary(kEcho) || lost("the page is another one to the driver");
}

bool Siege::succeeds(std::string_view what) {
  const std::optional<block::Response> response = disk_.answer();
  if (!response) return lost(std::string(what) + " is not answered");
  return response->status == VIRTIO_BLK_S_OK || lost(std::string(what) + " fails");
}

std::span<std::byte> Siege::page(std::uint32_t number) {
  const std::uint64_t offset = disk_.geometry.data_offset() + number * kPageBytes;
  return {disk_.memory.data() + offset, kPageBytes};
}

bool Siege::shows_canary(std::uint32_t number) {
  const std::span<std::byte> shown = page(number);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (shown[i] != canary_at(i)) return false;
  }
  return true;
}

bool Siege::lost(std::string_view what) {
  client_.stage().broke(what);
  return false;
}

void besiege(Client& client, std::span<const Attempt> attempts) {
  Siege siege(client);
  siege.begin();
  for (const auto& [what, call] : attempts) client.stage().expect_refused(what, call());
  while (siege.holds()) {
    siege.begin();
    for (const auto& [what, call] : attempts) {
      if (call() >= 0) return client.stage().broke(what + ", at last");
    }
  }
}

}  // namespace cede::attack
