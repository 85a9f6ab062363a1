// SPDX-License-Identifier: Apache-2.0
// What is measured: who takes part, and under which loads. No ring's code is in here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cede::bench::ring {

enum class ContenderId : std::uint8_t { Cede, Xen, Dpdk, Boost, Virtio, Sequenced, Floor };

struct Entrant {
  ContenderId id;
  std::string_view name;
  std::string_view what;
  double goal = 0;  // Cede's rate over its, geometric mean; 0: nothing is wanted
};

inline constexpr std::array<Entrant, 7> kRoster = {{
    {ContenderId::Cede, "cede", "protocols/ring.h as it is shipped", 0},
    {ContenderId::Xen, "xen", "the official macros and layout of Xen's ring.h", 1.3},
    {ContenderId::Dpdk, "dpdk", "two rte_rings, one producer and one consumer each", 1.5},
    {ContenderId::Boost, "boost", "two boost::lockfree::spsc_queues", 1.5},
    {ContenderId::Virtio, "virtio", "a split ring with event indices, descriptors never change",
     1.5},
    {ContenderId::Sequenced, "sequenced", "each slot says itself whether it is full", 0},
    {ContenderId::Floor, "floor", "the same without fences and doorbells: bare cache lines", 0},
}};

inline constexpr std::array<std::uint32_t, 3> kSlotSizes = {16, 64, 128};

// A closed loop: so many requests are published together, and so many may be in flight.
struct Load {
  std::uint32_t batch = 1;
  std::uint32_t window = 1;
};

inline constexpr std::array<Load, 5> kLoads = {{{1, 1}, {1, 16}, {8, 32}, {32, 128}, {256, 256}}};

}  // namespace cede::bench::ring
