// SPDX-License-Identifier: Apache-2.0
// Writing to the StatsPage: one writer, so an increment needs no locked instruction.
#pragma once

#include <cstdint>

#include "protocols/stats.h"

namespace cede::driver {

inline void add(Counter& counter, std::uint64_t amount = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace cede::driver
