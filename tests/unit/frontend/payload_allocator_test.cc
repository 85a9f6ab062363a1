// SPDX-License-Identifier: Apache-2.0
#include "frontend/block/payload_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace cede::frontend {
namespace {

// What is out, page by page: the plainest thing that the allocator can be compared with.
class Pages {
 public:
  Pages(std::uint32_t first, std::uint32_t end) : first_(first), taken_(end, false) {}

  void take(std::uint32_t page, std::uint32_t count) {
    ASSERT_GE(page, first_);
    ASSERT_LE(page + count, taken_.size());
    for (std::uint32_t i = page; i < page + count; ++i) {
      ASSERT_FALSE(taken_[i]) << "page " << i << " was handed out twice";
      taken_[i] = true;
    }
  }
  void give_back(std::uint32_t page, std::uint32_t count) {
    std::fill_n(taken_.begin() + page, count, false);
  }
  [[nodiscard]] std::uint32_t free() const {
    return static_cast<std::uint32_t>(std::count(taken_.begin() + first_, taken_.end(), false));
  }
  // Is there an aligned block of a power of two free that holds `count`?
  [[nodiscard]] bool has_block_for(std::uint32_t count) const {
    const std::uint32_t size = std::bit_ceil(count);
    for (std::uint32_t at = 0; at + size <= taken_.size(); at += size) {
      if (at < first_) continue;
      const auto begin = taken_.begin() + at;
      if (std::none_of(begin, begin + size, [](bool taken) { return taken; })) return true;
    }
    return false;
  }

 private:
  std::uint32_t first_;
  std::vector<bool> taken_;
};

class RandomWalk : public testing::TestWithParam<std::pair<std::uint32_t, std::uint32_t>> {};

TEST_P(RandomWalk, NeverOverlapsAndFindsEveryRunThatFits) {
  const auto [first, end] = GetParam();
  PayloadAllocator allocator(first, end);
  Pages pages(first, end);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  std::mt19937 random(first * 7919 + end);
  const auto below = [&random](std::uint32_t n) {
    return static_cast<std::uint32_t>(random() % n);
  };
  for (int step = 0; step < 20000; ++step) {
    if (out.empty() || below(100) < 55) {
      const std::uint32_t count = below(3) == 0 ? 1 + below(40) : 1;
      const auto page = allocator.take(count);
      ASSERT_EQ(page.has_value(), pages.has_block_for(count)) << "run of " << count;
      if (!page) continue;
      pages.take(*page, count);
      out.emplace_back(*page, count);
    } else {
      std::swap(out[random() % out.size()], out.back());
      const auto [page, count] = out.back();
      out.pop_back();
      ASSERT_TRUE(allocator.give_back(page, count));
      pages.give_back(page, count);
    }
    ASSERT_EQ(allocator.free_pages(), pages.free());
  }
  for (const auto& [page, count] : out) ASSERT_TRUE(allocator.give_back(page, count));
  EXPECT_EQ(allocator.free_pages(), end - first);
  EXPECT_TRUE(allocator.take(allocator.longest_run())) << "what was freed did not coalesce";
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomWalk,
                         testing::Values(std::pair(0U, 64U), std::pair(1U, 64U),
                                         std::pair(3U, 256U), std::pair(5U, 1024U),
                                         std::pair(2U, 100U), std::pair(63U, 64U)));

TEST(PayloadAllocator, HandsOutEveryPageAndThenNothing) {
  PayloadAllocator allocator(3, 128);
  std::vector<std::uint32_t> out;
  while (const auto page = allocator.take(1)) out.push_back(*page);
  std::sort(out.begin(), out.end());
  ASSERT_EQ(out.size(), 125U);
  EXPECT_EQ(out.front(), 3U);
  EXPECT_EQ(out.back(), 127U);
  EXPECT_EQ(std::adjacent_find(out.begin(), out.end()), out.end());
  EXPECT_EQ(allocator.free_pages(), 0U);
}

TEST(PayloadAllocator, OddRunsWasteNoPages) {
  PayloadAllocator allocator(0, 64);
  ASSERT_TRUE(allocator.take(33));
  EXPECT_EQ(allocator.free_pages(), 31U);
  for (int i = 0; i < 31; ++i) EXPECT_TRUE(allocator.take(1));
  EXPECT_FALSE(allocator.take(1));
}

TEST(PayloadAllocator, SinglePagesComeBackLastInFirstOut) {
  PayloadAllocator allocator(1, 1024);
  const auto a = allocator.take(1);
  const auto b = allocator.take(1);
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(allocator.give_back(*a, 1));
  ASSERT_TRUE(allocator.give_back(*b, 1));
  EXPECT_EQ(allocator.take(1), b);
  EXPECT_EQ(allocator.take(1), a);
}

TEST(PayloadAllocator, PagesOnTheHotStackServeALongRunWhenNothingElseDoes) {
  PayloadAllocator allocator(0, 32);
  std::vector<std::uint32_t> out;
  while (const auto page = allocator.take(1)) out.push_back(*page);
  for (const std::uint32_t page : out) ASSERT_TRUE(allocator.give_back(page, 1));
  EXPECT_EQ(allocator.take(32), 0U);
}

TEST(PayloadAllocator, RefusesToTakeBackWhatItDidNotHandOut) {
  PayloadAllocator allocator(2, 64);
  const auto page = allocator.take(4);
  ASSERT_TRUE(page);
  EXPECT_FALSE(allocator.give_back(*page, 3));
  EXPECT_FALSE(allocator.give_back(*page, 5));
  EXPECT_FALSE(allocator.give_back(*page + 1, 3));
  EXPECT_FALSE(allocator.give_back(*page, 0));
  EXPECT_FALSE(allocator.give_back(0, 1));
  EXPECT_FALSE(allocator.give_back(64, 1));
  EXPECT_FALSE(allocator.give_back(UINT32_MAX, 1));
  EXPECT_EQ(allocator.free_pages(), 58U);
  EXPECT_TRUE(allocator.give_back(*page, 4));
  EXPECT_FALSE(allocator.give_back(*page, 4)) << "given back twice";
  EXPECT_EQ(allocator.free_pages(), 62U);
}

TEST(PayloadAllocator, RefusesRunsOfNoneAndOfMoreThanThereIs) {
  PayloadAllocator allocator(1, 64);
  EXPECT_EQ(allocator.longest_run(), 32U);
  EXPECT_FALSE(allocator.take(0));
  EXPECT_FALSE(allocator.take(33));
  EXPECT_FALSE(allocator.take(UINT32_MAX));
  EXPECT_TRUE(allocator.take(32));
}

}  // namespace
}  // namespace cede::frontend
