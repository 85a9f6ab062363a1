// SPDX-License-Identifier: Apache-2.0
// A contender made of two one-way queues, one for requests and one for responses.
//
// Such queues are at their best when they are given and asked for several messages at once, so each
// side collects up to kBurst of them: DPDK's customary number.
#pragma once

#include <array>

#include "tests/bench/ring/contender.h"

namespace cede::bench::ring {

// Q::push(const Item*, n) puts all of them; Q::pop(Item*, n) says how many it got.
template <class Q>
class PairOfQueues {
 public:
  using Item = typename Q::Item;

  class Side {
   public:
    Side(std::byte* out, std::byte* in) : out_(Q::at(out)), in_(Q::at(in)) {}
    void put(const Item& item) {
      staged_[staged_count_++] = item;
      if (staged_count_ == kBurst) publish();
    }
    void publish() {
      if (staged_count_ != 0) out_->push(staged_.data(), staged_count_);
      staged_count_ = 0;
    }
    [[nodiscard]] bool take(Item& item) {
      if (taken_next_ == taken_count_) {
        taken_next_ = 0;
        taken_count_ = in_->pop(taken_.data(), kBurst);
        if (taken_count_ == 0) return false;
      }
      item = taken_[taken_next_++];
      return true;
    }

   private:
    static constexpr unsigned kBurst = 32;

    Q* out_;
    Q* in_;
    unsigned staged_count_ = 0;
    unsigned taken_count_ = 0;
    unsigned taken_next_ = 0;
    std::array<Item, kBurst> staged_;
    std::array<Item, kBurst> taken_;
  };
  struct Front : Side {
    explicit Front(std::byte* memory) : Side(memory, memory + kHalf) {}
  };
  struct Back : Side {
    explicit Back(std::byte* memory) : Side(memory + kHalf, memory) {}
  };

  static void format(std::byte* memory) {
    Q::format(memory);
    Q::format(memory + kHalf);
  }

 private:
  static constexpr std::size_t kHalf = kMaxBytes / 2;
  static_assert(Q::kBytes <= kHalf);
};

}  // namespace cede::bench::ring
