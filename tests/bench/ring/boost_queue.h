// SPDX-License-Identifier: Apache-2.0
// boost::lockfree::spsc_queue of fixed capacity: no pointer in it, so it may lie in shared memory.
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <new>

#include "tests/bench/ring/pair_of_queues.h"

namespace cede::bench::ring {

template <class Message>
class BoostQueue {
 public:
  using Item = Message;
  static constexpr std::size_t kBytes = kSlots * sizeof(Item) + 1024;

  static void format(std::byte* memory) {
    static_assert(sizeof(BoostQueue) <= kBytes);
    new (memory) BoostQueue;
  }
  static BoostQueue* at(std::byte* memory) { return reinterpret_cast<BoostQueue*>(memory); }

  void push(const Item* items, unsigned count) {
    if (queue_.push(items, count) != count) broken();
  }
  [[nodiscard]] unsigned pop(Item* items, unsigned count) {
    return static_cast<unsigned>(queue_.pop(items, count));
  }

 private:
  // It keeps one slot more than it is asked for.
  boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<kSlots - 1>> queue_;
};

}  // namespace cede::bench::ring
