// SPDX-License-Identifier: Apache-2.0
// One field of a slot, rewritten while its driver may be reading it.
#pragma once

#include <atomic>
#include <cstddef>

namespace cede::attack {

// `place` is aligned for a T.
template <class T>
void set(std::byte* place, T value) {
  std::atomic_ref(*reinterpret_cast<T*>(place)).store(value, std::memory_order_relaxed);
}

}  // namespace cede::attack
