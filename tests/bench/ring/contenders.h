// SPDX-License-Identifier: Apache-2.0
// All contenders, by name.
#pragma once

#include <array>
#include <string_view>

#include "tests/bench/ring/boost_queue.h"
#include "tests/bench/ring/cede_ring.h"
#include "tests/bench/ring/dpdk_queue.h"
#include "tests/bench/ring/message.h"
#include "tests/bench/ring/roster.h"
#include "tests/bench/ring/sequenced_ring.h"
#include "tests/bench/ring/virtio_split.h"
#include "tests/bench/ring/xen_macros.h"

namespace cede::bench::ring {

// Calls visit.operator()<Contender>() for the contender of that place in kRoster.
template <class Item, class Visitor>
auto visit_contender(ContenderId id, const Visitor& visit) {
  switch (id) {
    case ContenderId::Cede:
      return visit.template operator()<CedeRing<Item>>();
    case ContenderId::Xen:
      return visit.template operator()<XenMacros<Item>>();
    case ContenderId::Dpdk:
      return visit.template operator()<PairOfQueues<DpdkQueue<Item>>>();
    case ContenderId::Boost:
      return visit.template operator()<PairOfQueues<BoostQueue<Item>>>();
    case ContenderId::Virtio:
      return visit.template operator()<VirtioSplit<Item>>();
    case ContenderId::Sequenced:
      return visit.template operator()<SequencedRing<Item, Bells::Yes>>();
    case ContenderId::Floor:
      break;
  }
  return visit.template operator()<SequencedRing<Item, Bells::No>>();
}

// The same for any size of slot in kSlotSizes.
template <class Visitor>
auto visit_contender(ContenderId id, std::uint32_t slot_bytes, const Visitor& visit) {
  switch (slot_bytes) {
    case 16:
      return visit_contender<Message<16>>(id, visit);
    case 64:
      return visit_contender<Message<64>>(id, visit);
    case 128:
      return visit_contender<Message<128>>(id, visit);
    default:
      throw std::invalid_argument("no such size of slot");
  }
}

}  // namespace cede::bench::ring
