// SPDX-License-Identifier: Apache-2.0
// DPDK's rte_ring for one producer and one consumer, its slots in the ring itself.
#pragma once

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "tests/bench/ring/pair_of_queues.h"

namespace cede::bench::ring {

template <class Message>
class DpdkQueue {
 public:
  using Item = Message;
  static constexpr std::size_t kBytes = sizeof(rte_ring) + kSlots * sizeof(Item);

  static void format(std::byte* memory) {
    if (rte_ring_init(reinterpret_cast<rte_ring*>(memory), "bench", kSlots,
                      RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
      throw std::runtime_error("rte_ring_init refuses");
    }
  }
  static DpdkQueue* at(std::byte* memory) { return reinterpret_cast<DpdkQueue*>(memory); }

  void push(const Item* items, unsigned count) {
    if (rte_ring_sp_enqueue_bulk_elem(&ring_, items, sizeof(Item), count, nullptr) != count) {
      broken();
    }
  }
  [[nodiscard]] unsigned pop(Item* items, unsigned count) {
    return rte_ring_sc_dequeue_burst_elem(&ring_, items, sizeof(Item), count, nullptr);
  }

 private:
  rte_ring ring_;  // its slots follow
};

}  // namespace cede::bench::ring
