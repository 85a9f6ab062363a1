// SPDX-License-Identifier: Apache-2.0
// Xen's own ring: its layout and its macros, as blkfront and blkback use them.
#pragma once

#include "tests/bench/ring/contender.h"
#include "tests/bench/ring/message.h"
#include "tests/support/xen_ring.h"

namespace cede::bench::ring {

// Xen's layout for each size of slot.
DEFINE_RING_TYPES(xen_16, Message<16>, Message<16>);
DEFINE_RING_TYPES(xen_64, Message<64>, Message<64>);
DEFINE_RING_TYPES(xen_128, Message<128>, Message<128>);

template <class Item>
struct XenLayout;
template <>
struct XenLayout<Message<16>> {
  using Shared = xen_16_sring;
};
template <>
struct XenLayout<Message<64>> {
  using Shared = xen_64_sring;
};
template <>
struct XenLayout<Message<128>> {
  using Shared = xen_128_sring;
};

template <class Message>
struct XenMacros {
  using Item = Message;
  using Shared = typename XenLayout<Item>::Shared;
  static_assert(offsetof(Shared, ring) + kSlots * sizeof(Item) <= kMaxBytes);

  template <class Half>
  class Side {
   public:
    explicit Side(std::byte* memory) : half_(reinterpret_cast<Shared*>(memory), kSlots, 0) {}
    void put(const Item& item) { half_.put(item); }
    [[nodiscard]] bool publish() { return half_.publish(); }
    [[nodiscard]] bool take(Item& item) {
      const test::Found found = half_.take(item);
      if (found == test::Found::Overflow) broken();
      return found == test::Found::Item;
    }
    [[nodiscard]] bool arm() { return !half_.final_check(); }

   private:
    Half half_;
  };
  using Front = Side<test::XenFront<Shared>>;
  using Back = Side<test::XenBack<Shared>>;

  static void format(std::byte* memory) {
    auto* const shared = reinterpret_cast<Shared*>(memory);
    SHARED_RING_INIT(shared);
  }
};

}  // namespace cede::bench::ring
