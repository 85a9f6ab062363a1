// SPDX-License-Identifier: Apache-2.0
#include "vmm/supervisor/size.h"

#include <gtest/gtest.h>

namespace cede::supervisor {
namespace {

TEST(Size, ReadsBytesAndPowersOf1024) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("3K"), 3U << 10);
  EXPECT_EQ(parse_size("64M"), 64U << 20);
  EXPECT_EQ(parse_size("2G"), 2ULL << 30);
  EXPECT_EQ(parse_size("1T"), 1ULL << 40);
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_size("16777215T"), 16777215ULL << 40);
}

TEST(Size, RefusesEverythingElse) {
  for (const char* text : {"", "M", "-1", "+1", " 1", "1 ", "1m", "1MiB", "1.5G", "0x10", "1MM",
                           "18446744073709551616", "16777216T", "99999999999999999999"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Size, WritesTheShortestExactForm) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(1024), "1K");
  EXPECT_EQ(format_size(64U << 20), "64M");
  EXPECT_EQ(format_size((64U << 20) + 1), "67108865");
  EXPECT_EQ(format_size(5ULL << 50), "5120T");
  for (const std::uint64_t bytes :
       {1ULL, 512ULL, 1536ULL, 3ULL << 20, 7ULL << 41, UINT64_MAX + 0ULL}) {
    EXPECT_EQ(parse_size(format_size(bytes)), bytes);
  }
}

}  // namespace
}  // namespace cede::supervisor
