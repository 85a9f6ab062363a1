// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/scale/idle_memory.h"

#include <array>
#include <chrono>
#include <optional>

#include "tests/bench/scale/fleet.h"

namespace cede::bench {
namespace {

using supervisor::Policy;

struct Named {
  Policy policy;
  std::string_view name;
};
constexpr std::array<Named, 3> kPolicies{{{Policy::Donated, "donated"},
                                          {Policy::Revocable, "revocable"},
                                          {Policy::DriverOwned, "driver-owned"}}};
constexpr std::uint64_t kImageBytes = 32U << 20;
constexpr std::chrono::milliseconds kUse{20};

}  // namespace

std::vector<IdleMemory> measure_idle_memory() {
  const RamImage image(kImageBytes);
  std::vector<IdleMemory> all;
  for (const Named& one : kPolicies) {
    Fleet fleet(image, kIdleSessions, one.policy);
    static_cast<void>(fleet.connect());
    static_cast<void>(fleet.read(kFleetSlots, kUse));  // every session has been of use
    const std::optional<Fleet::Charged> idle = fleet.charged();
    if (!idle) return {};
    fleet.take_back();
    const std::optional<Fleet::Charged> left = fleet.charged();
    all.push_back({.policy = one.name,
                   .client_pays = idle->clients / kIdleSessions,
                   .driver_pays = idle->driver / kIdleSessions,
                   .after_taking_back = (left->clients + left->driver) / kIdleSessions,
                   .in_region = left->in_regions / kIdleSessions,
                   .wrong_reads = fleet.read(kFleetSlots, kUse).errors});
  }
  return all;
}

}  // namespace cede::bench
