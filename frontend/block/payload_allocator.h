// SPDX-License-Identifier: Apache-2.0
// Contiguous runs of payload pages: a buddy allocator of exact runs.
//
// A run of n pages is cut from the smallest free block (a power of two of pages, aligned to itself)
// that holds it; the rest of the block goes back to the free lists at once, so nothing is lost to
// rounding. Free lists are last in, first out, and single pages pass through a small stack before
// they coalesce: what is handed out next is what was used last and is still in the cache.
//
// All of its records are private memory, never the region's. take() and give_back() cost
// O(log pages), allocate nothing and cannot fail half-way. A wrong give_back() is refused: each
// run's length is kept with its first page. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "protocols/session.h"

namespace cede::frontend {

class PayloadAllocator {
 public:
  // Hands out the pages [first, end) of a region; first <= end <= Geometry::kMaxPages.
  PayloadAllocator(std::uint32_t first, std::uint32_t end) : pages_(end), free_pages_(end - first) {
    for_each_block(first, end - first, [this](std::uint32_t page, std::uint32_t order) {
      push(page, order);
      longest_run_ = std::max(longest_run_, 1U << order);
    });
  }

  // The first page of a run of `count`. Nothing: no run that long is free.
  [[nodiscard]] std::optional<std::uint32_t> take(std::uint32_t count) noexcept {
    if (count == 0 || count > longest_run_) return std::nullopt;
    std::optional<std::uint32_t> page = count == 1 ? take_hot() : std::nullopt;
    if (!page) page = cut(count);
    if (!page && hot_count_ != 0) {
      cool_down();
      page = cut(count);
    }
    if (page) {
      pages_[*page].run = count;
      free_pages_ -= count;
    }
    return page;
  }

  // Takes back exactly what one take() handed out. False: it did not, and nothing changes.
  [[nodiscard]] bool give_back(std::uint32_t first, std::uint32_t count) noexcept {
    if (first >= pages_.size() || count == 0 || pages_[first].run != count) return false;
    pages_[first].run = 0;
    free_pages_ += count;
    if (count == 1 && hot_count_ < hot_.size()) {
      hot_[hot_count_++] = first;
    } else {
      for_each_block(first, count, [this](auto page, auto order) { merge(page, order); });
    }
    return true;
  }

  [[nodiscard]] std::uint32_t free_pages() const noexcept { return free_pages_; }
  // The longest run that can ever be had: from an allocator of which nothing is out.
  [[nodiscard]] std::uint32_t longest_run() const noexcept { return longest_run_; }

 private:
  static constexpr std::uint32_t kOrders = std::bit_width(Geometry::kMaxPages);
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Page {
    std::uint32_t next = kNone;  // neighbours in the free list of its order
    std::uint32_t previous = kNone;
    std::uint32_t order = kNone;  // of the free block that begins here
    std::uint32_t run = 0;        // length of the handed-out run that begins here
  };

  // Splits [first, first + count) into the largest blocks that are aligned to themselves.
  template <class Visit>
  static void for_each_block(std::uint32_t first, std::uint32_t count, Visit visit) {
    while (count != 0) {
      const auto aligned = static_cast<std::uint32_t>(std::countr_zero(first));
      const auto fitting = static_cast<std::uint32_t>(std::bit_width(count)) - 1;
      const std::uint32_t order = std::min(aligned, fitting);
      visit(first, order);
      first += 1U << order;
      count -= 1U << order;
    }
  }

  [[nodiscard]] std::optional<std::uint32_t> take_hot() noexcept {
    if (hot_count_ == 0) return std::nullopt;
    return hot_[--hot_count_];
  }
  void cool_down() noexcept {
    while (hot_count_ != 0) merge(hot_[--hot_count_], 0);
  }

  [[nodiscard]] std::optional<std::uint32_t> cut(std::uint32_t count) noexcept {
    const std::uint32_t enough = ~0U << std::bit_width(count - 1);
    if ((filled_ & enough) == 0) return std::nullopt;
    const auto order = static_cast<std::uint32_t>(std::countr_zero(filled_ & enough));
    const std::uint32_t page = lists_[order];
    unlink(page);
    // The rest needs no merging: the buddy of each of its blocks overlaps the run.
    for_each_block(page + count, (1U << order) - count,
                   [this](auto rest, auto rest_order) { push(rest, rest_order); });
    return page;
  }

  void merge(std::uint32_t page, std::uint32_t order) noexcept {
    for (;; ++order) {
      const std::uint32_t buddy = page ^ (1U << order);
      if (buddy >= pages_.size() || pages_[buddy].order != order) break;
      unlink(buddy);
      page = std::min(page, buddy);
    }
    push(page, order);
  }

  void push(std::uint32_t page, std::uint32_t order) noexcept {
    const std::uint32_t head = lists_[order];
    pages_[page].next = head;
    pages_[page].previous = kNone;
    pages_[page].order = order;
    if (head != kNone) pages_[head].previous = page;
    lists_[order] = page;
    filled_ |= 1U << order;
  }

  void unlink(std::uint32_t page) noexcept {
    const Page block = pages_[page];
    if (block.next != kNone) pages_[block.next].previous = block.previous;
    if (block.previous != kNone) {
      pages_[block.previous].next = block.next;
    } else {
      lists_[block.order] = block.next;
      if (block.next == kNone) filled_ &= ~(1U << block.order);
    }
    pages_[page].order = kNone;
  }

  static constexpr std::array<std::uint32_t, kOrders> no_lists() {
    std::array<std::uint32_t, kOrders> lists{};
    lists.fill(kNone);
    return lists;
  }

  std::vector<Page> pages_;
  std::array<std::uint32_t, kOrders> lists_ = no_lists();  // first free block of each order
  std::uint32_t filled_ = 0;                               // bit n: lists_[n] is not empty
  std::uint32_t free_pages_;
  std::uint32_t longest_run_ = 0;
  std::array<std::uint32_t, 64> hot_{};  // free single pages, the last used on top
  std::uint32_t hot_count_ = 0;
};

}  // namespace cede::frontend
