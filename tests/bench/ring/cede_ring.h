// SPDX-License-Identifier: Apache-2.0
// protocols/ring.h, as it is shipped.
#pragma once

#include "protocols/ring.h"
#include "tests/bench/ring/contender.h"

namespace cede::bench::ring {

template <class Message>
struct CedeRing {
  using Item = Message;
  static constexpr RingShape kShape{kSlots, sizeof(Item)};
  static_assert(kShape.valid() && kShape.bytes() <= kMaxBytes);

  template <class Half>
  class Side {
   public:
    explicit Side(std::byte* memory) : half_(memory, kShape) {}
    void put(const Item& item) { half_.put(item); }
    [[nodiscard]] bool publish() { return half_.publish(); }
    [[nodiscard]] bool take(Item& item) { return judged(half_.take(item)) == Verdict::Ready; }
    [[nodiscard]] bool arm() { return judged(half_.arm()) == Verdict::Empty; }

   private:
    static Verdict judged(Verdict verdict) {
      if (verdict == Verdict::Broken) broken();
      return verdict;
    }
    Half half_;
  };
  using Front = Side<FrontRing<Item, Item>>;
  using Back = Side<BackRing<Item, Item>>;

  static void format(std::byte* memory) { format_ring(memory); }
};

}  // namespace cede::bench::ring
